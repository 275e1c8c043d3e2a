-- An age of NULL spares a state. Ours is what a worker of ours held last, and of what never ran, what stood in a queue
-- that ours serve; the rest is left to the programs that it belongs to.
WITH served AS MATERIALIZED (SELECT DISTINCT unnest(queues) AS queue FROM {schema}.treadle_serving),
old AS MATERIALIZED (
  SELECT * FROM (
    SELECT id FROM {schema}.oban_jobs
    WHERE state = 'completed' AND completed_at <= timezone('UTC', now()) - make_interval(secs => %(completed)s)
      AND (attempted_by[3] IS NOT NULL
        OR coalesce(cardinality(attempted_by), 0) = 0 AND queue IN (SELECT queue FROM served))
    ORDER BY completed_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED) AS completed
  UNION ALL
  SELECT * FROM (
    SELECT id FROM {schema}.oban_jobs
    WHERE state = 'discarded' AND discarded_at <= timezone('UTC', now()) - make_interval(secs => %(discarded)s)
      AND (attempted_by[3] IS NOT NULL
        OR coalesce(cardinality(attempted_by), 0) = 0 AND queue IN (SELECT queue FROM served))
    ORDER BY discarded_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED) AS discarded
  UNION ALL
  SELECT * FROM (
    SELECT id FROM {schema}.oban_jobs
    WHERE state = 'cancelled' AND cancelled_at <= timezone('UTC', now()) - make_interval(secs => %(cancelled)s)
      AND (attempted_by[3] IS NOT NULL
        OR coalesce(cardinality(attempted_by), 0) = 0 AND queue IN (SELECT queue FROM served))
    ORDER BY cancelled_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED) AS cancelled
  LIMIT %(limit)s
),
gone AS (DELETE FROM {schema}.oban_jobs j USING old WHERE j.id = old.id RETURNING j.id)
SELECT coalesce(array_agg(id), '{}') FROM gone
