-- The pairs of queue and priority in which jobs wait, by one look into the index for each.
WITH RECURSIVE pairs AS (
  (SELECT queue, priority FROM {schema}.oban_jobs WHERE state = 'available' ORDER BY queue, priority LIMIT 1)
  UNION ALL
  SELECT next.queue, next.priority FROM pairs p CROSS JOIN LATERAL (
    SELECT j.queue, j.priority FROM {schema}.oban_jobs j
    WHERE j.state = 'available' AND (j.queue, j.priority) > (p.queue, p.priority)
    ORDER BY j.queue, j.priority LIMIT 1) AS next
)
SELECT p.queue,
  (SELECT count(*) FROM (
    SELECT 1 FROM {schema}.oban_jobs j
    WHERE j.state = 'available' AND j.queue = p.queue AND j.priority = p.priority LIMIT %(most)s) AS counted),
  (SELECT CASE WHEN isfinite(j.scheduled_at)
      THEN extract(epoch FROM timezone('UTC', now()) - j.scheduled_at)::double precision END
    FROM {schema}.oban_jobs j WHERE j.state = 'available' AND j.queue = p.queue AND j.priority = p.priority
    ORDER BY j.scheduled_at LIMIT 1)
FROM pairs p
