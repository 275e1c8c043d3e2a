UPDATE oban_jobs SET state = 'discarded', discarded_at = :now, errors = json_insert(
  CASE json_valid(errors) WHEN 1 THEN CASE json_type(errors) WHEN 'array' THEN errors ELSE '[]' END ELSE '[]' END,
  '$[#]', json(:error))
WHERE id = :id AND +state = 'executing' AND attempted_by = :held
