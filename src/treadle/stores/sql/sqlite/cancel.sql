-- :error is NULL where nothing is to be told.
UPDATE oban_jobs SET state = 'cancelled', cancelled_at = :now, errors = CASE WHEN :error IS NULL THEN errors ELSE json_insert(
  CASE json_valid(errors) WHEN 1 THEN CASE json_type(errors) WHEN 'array' THEN errors ELSE '[]' END ELSE '[]' END,
  '$[#]', json(:error)) END
WHERE id = :id AND +state = 'executing' AND attempted_by = :held
