-- Text comes as bytes: a row that is no UTF-8 must not end the whole claim.
SELECT id, CAST(worker AS BLOB), CAST(args AS BLOB), CAST(meta AS BLOB), attempt, max_attempts, 0, CAST(tags AS BLOB),
  scheduled_at
FROM oban_jobs WHERE state = 'available' AND queue = ?1 AND NOT EXISTS (SELECT 1 FROM treadle_queues WHERE queue = ?1)
ORDER BY priority, scheduled_at, id LIMIT ?2
