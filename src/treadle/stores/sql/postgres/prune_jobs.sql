-- An age of NULL spares a state.
WITH old AS MATERIALIZED (
  SELECT * FROM (
    SELECT id FROM {schema}.oban_jobs
    WHERE state = 'completed' AND completed_at <= timezone('UTC', now()) - make_interval(secs => %(completed)s)
    ORDER BY completed_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED) AS completed
  UNION ALL
  SELECT * FROM (
    SELECT id FROM {schema}.oban_jobs
    WHERE state = 'discarded' AND discarded_at <= timezone('UTC', now()) - make_interval(secs => %(discarded)s)
    ORDER BY discarded_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED) AS discarded
  UNION ALL
  SELECT * FROM (
    SELECT id FROM {schema}.oban_jobs
    WHERE state = 'cancelled' AND cancelled_at <= timezone('UTC', now()) - make_interval(secs => %(cancelled)s)
    ORDER BY cancelled_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED) AS cancelled
  LIMIT %(limit)s
),
gone AS (DELETE FROM {schema}.oban_jobs j USING old WHERE j.id = old.id RETURNING 1)
SELECT count(*) FROM gone
