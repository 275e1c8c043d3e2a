-- Of the jobs of a key that we inserted, the newest that still counts, among the newest fifty: what ended stands there
-- for as long as it is kept. Instants are compared as text, as we write them.
SELECT j.id, j.state
FROM (SELECT job_id FROM treadle_unique WHERE key = :key ORDER BY job_id DESC LIMIT 50) u
CROSS JOIN oban_jobs j ON j.id = u.job_id
WHERE +j.state IN (SELECT value FROM json_each(:states))
  AND (NOT :unstarted OR j.attempted_at IS NULL)
  AND (:cut IS NULL OR CASE :timestamp WHEN 'scheduled_at' THEN j.scheduled_at ELSE j.inserted_at END >= :cut)
ORDER BY j.id DESC LIMIT 1
