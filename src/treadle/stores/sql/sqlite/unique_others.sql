-- Of the newest jobs of a queue in a state, those without a key: other programs inserted them, or they are not unique.
SELECT j.id, j.state, CAST(j.worker AS BLOB), CAST(j.queue AS BLOB), CAST(j.args AS BLOB), CAST(j.meta AS BLOB)
FROM (
  SELECT id, state, worker, queue, args, meta, attempted_at, inserted_at, scheduled_at FROM oban_jobs
  WHERE state = :state AND queue = :queue ORDER BY priority DESC, scheduled_at DESC, id DESC LIMIT :limit
) j
WHERE (:worker IS NULL OR j.worker = :worker) AND (NOT :unstarted OR j.attempted_at IS NULL)
  AND (:cut IS NULL
    OR julianday(CASE :timestamp WHEN 'scheduled_at' THEN j.scheduled_at ELSE j.inserted_at END) >= julianday(:cut))
  AND NOT EXISTS (SELECT 1 FROM treadle_unique u WHERE u.job_id = j.id)
