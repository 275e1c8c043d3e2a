UPDATE oban_jobs SET state = 'suspended', attempt = max(attempt - 1, 0)
WHERE id = :id AND +state = 'executing' AND attempted_by = :held
