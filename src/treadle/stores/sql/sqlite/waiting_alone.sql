SELECT j.id, CAST(j.worker AS BLOB), CAST(j.args AS BLOB), CAST(j.meta AS BLOB), j.attempt, j.max_attempts, s.deaths,
  CAST(j.tags AS BLOB), j.scheduled_at
FROM treadle_suspects s CROSS JOIN oban_jobs j ON j.id = s.job_id
WHERE j.state = 'suspended' AND j.queue = ?1 AND NOT EXISTS (SELECT 1 FROM treadle_queues WHERE queue = ?1)
ORDER BY j.priority, j.scheduled_at, j.id LIMIT ?2
