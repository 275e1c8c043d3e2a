UPDATE oban_jobs SET state = CASE WHEN id IN (SELECT job_id FROM treadle_suspects) THEN 'suspended' ELSE 'available' END
WHERE id IN (SELECT value FROM json_each(?)) AND +state IN ('scheduled', 'retryable')
