-- Oban's retry_job: what was tried stays written down, and one attempt more is allowed if all were used.
WITH given AS MATERIALIZED (
  SELECT j.id FROM {schema}.oban_jobs j
  WHERE j.id = ANY (%(ids)s::bigint[]) AND j.state NOT IN ('available', 'executing')
    AND (j.state::text <> 'suspended' OR EXISTS (SELECT 1 FROM {schema}.treadle_suspects s WHERE s.job_id = j.id))
  ORDER BY j.id FOR UPDATE OF j
),
done AS (
  UPDATE {schema}.oban_jobs j SET state = 'available', scheduled_at = timezone('UTC', now()),
    max_attempts = greatest(j.max_attempts, j.attempt + 1), completed_at = NULL, cancelled_at = NULL, discarded_at = NULL
  FROM given g WHERE j.id = g.id
  RETURNING j.id, j.queue
),
cleared AS (DELETE FROM {schema}.treadle_suspects s USING done d WHERE s.job_id = d.id),
unasked AS (DELETE FROM {schema}.treadle_cancels c USING done d WHERE c.job_id = d.id),
told AS (
  SELECT pg_notify('{channel}', json_build_object('queue', queue)::text)
  FROM (SELECT DISTINCT queue FROM done) AS waiting
)
SELECT (SELECT count(*) FROM done), (SELECT count(*) FROM told)
