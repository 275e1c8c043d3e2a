-- Oban's retry_job: what was tried stays written down, and one attempt more is allowed if all were used.
UPDATE oban_jobs SET state = 'available', scheduled_at = :now, max_attempts = max(max_attempts, attempt + 1),
  completed_at = NULL, cancelled_at = NULL, discarded_at = NULL
WHERE id IN (SELECT value FROM json_each(:ids)) AND +state NOT IN ('available', 'executing')
  AND (+state <> 'suspended' OR id IN (SELECT job_id FROM treadle_suspects))
RETURNING id
