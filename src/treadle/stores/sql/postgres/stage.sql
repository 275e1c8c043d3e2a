WITH due AS MATERIALIZED (
  SELECT id FROM {schema}.oban_jobs
  WHERE state IN ('scheduled', 'retryable') AND scheduled_at <= timezone('UTC', now())
  ORDER BY scheduled_at, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
),
staged AS (
  UPDATE {schema}.oban_jobs j SET state = (CASE
      WHEN EXISTS (SELECT 1 FROM {schema}.treadle_suspects s WHERE s.job_id = j.id) THEN '{aside}'
      ELSE 'available' END)::{schema}.oban_job_state
  FROM due WHERE j.id = due.id
  RETURNING j.queue, j.state
),
told AS (
  SELECT pg_notify('{channel}', json_build_object('queue', queue)::text)
  FROM (SELECT DISTINCT queue FROM staged WHERE state = 'available') AS waiting
)
SELECT (SELECT count(*) FROM staged), (SELECT count(*) FROM told)
