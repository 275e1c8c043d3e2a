INSERT INTO treadle_cancels (job_id, claim)
SELECT id, json_extract(attempted_by, '$[2]') FROM oban_jobs
WHERE id IN (SELECT value FROM json_each(:ids)) AND +state = 'executing'
ON CONFLICT (job_id, claim) DO UPDATE SET claim = excluded.claim
