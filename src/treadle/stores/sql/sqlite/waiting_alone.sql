-- Only ids are sorted here, and the few rows by whoever reads them: one may be of many megabytes.
SELECT o.id, CAST(o.worker AS BLOB), CAST(o.args AS BLOB), CAST(o.meta AS BLOB), o.attempt, o.max_attempts,
  (SELECT deaths FROM treadle_suspects WHERE job_id = o.id), CAST(o.tags AS BLOB), o.scheduled_at, o.priority
FROM oban_jobs o WHERE o.id IN (
  SELECT j.id FROM treadle_suspects s CROSS JOIN oban_jobs j ON j.id = s.job_id
  WHERE j.state = 'suspended' AND j.queue = ?1 AND NOT EXISTS (SELECT 1 FROM treadle_queues WHERE queue = ?1)
  ORDER BY j.priority, j.scheduled_at, j.id LIMIT ?2)
