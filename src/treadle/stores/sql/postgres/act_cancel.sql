-- At once where nobody runs it, or where who runs it is none of ours and would not be told; else it is a wish.
WITH given AS MATERIALIZED (
  SELECT j.id, j.attempted_by[1] AS owner, j.attempted_by[3] AS claim, j.state = 'executing' AS executes, j.state = 'executing' AND j.attempted_by[3] IS NOT NULL AND EXISTS (
      SELECT 1 FROM {schema}.treadle_owners o WHERE o.owner = j.attempted_by[1] AND o.fenced_at IS NULL) AS runs
  FROM {schema}.oban_jobs j
  WHERE j.id = ANY (%(ids)s::bigint[]) AND (j.state IN ('available', 'scheduled', 'retryable', 'executing')
    OR j.state::text = 'suspended' AND EXISTS (SELECT 1 FROM {schema}.treadle_suspects s WHERE s.job_id = j.id))
  ORDER BY j.id FOR UPDATE OF j
),
done AS (
  UPDATE {schema}.oban_jobs j SET state = 'cancelled', cancelled_at = timezone('UTC', now())
  FROM given g WHERE j.id = g.id AND NOT g.runs
  RETURNING j.id
),
asked AS (
  INSERT INTO {schema}.treadle_cancels (job_id, claim) SELECT id, claim FROM given WHERE runs
  ON CONFLICT (job_id, claim) DO NOTHING
),
cleared AS (DELETE FROM {schema}.treadle_suspects s USING done d WHERE s.job_id = d.id),
unasked AS (DELETE FROM {schema}.treadle_cancels c USING done d WHERE c.job_id = d.id)
-- Who runs it and is none of ours is told as Oban's programs tell each other.
SELECT count(*), array_agg(DISTINCT owner) FILTER (WHERE runs),
  count(pg_notify(left('{channel}', -6) || 'signal', json_build_object('action', 'pkill', 'job_id', id)::text))
    FILTER (WHERE executes AND NOT runs)
FROM given
