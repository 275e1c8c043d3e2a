-- The value stands in `meta` for Oban's programs and dashboards; our own copy outlives the row, which others may prune.
WITH done AS (
  UPDATE {schema}.oban_jobs j SET state = 'completed', completed_at = timezone('UTC', now()),
    meta = CASE WHEN jsonb_typeof(j.meta) = 'object' THEN j.meta ELSE '{}' END || jsonb_build_object('recorded', true, 'return', g.term)
  FROM unnest(%(ids)s::bigint[], %(claims)s::text[], %(values)s::bytea[], %(terms)s::text[])
    AS g(id, claim, value, term)
  WHERE j.id = g.id AND (j.state = 'executing') IS TRUE AND j.attempted_by[3] = g.claim
  RETURNING j.id, g.claim, g.value
),
kept AS (
  INSERT INTO {schema}.treadle_results (job_id, value, stored_at) SELECT id, value, timezone('UTC', now()) FROM done
  ON CONFLICT (job_id) DO UPDATE SET value = excluded.value, stored_at = excluded.stored_at
),
cleared AS (DELETE FROM {schema}.treadle_suspects s USING done d WHERE s.job_id = d.id),
unasked AS (DELETE FROM {schema}.treadle_cancels c USING done d WHERE c.job_id = d.id)
SELECT id, claim FROM done
