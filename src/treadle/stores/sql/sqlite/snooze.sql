UPDATE oban_jobs SET state = 'scheduled', scheduled_at = :due, attempt = max(attempt - 1, 0), meta = json_set(
  CASE json_valid(meta) WHEN 1 THEN CASE json_type(meta) WHEN 'object' THEN meta ELSE '{}' END ELSE '{}' END,
  '$.snoozed', 1 + CASE json_valid(meta) WHEN 1 THEN coalesce(json_extract(meta, '$.snoozed'), 0) ELSE 0 END)
WHERE id = :id AND +state = 'executing' AND attempted_by = :held
