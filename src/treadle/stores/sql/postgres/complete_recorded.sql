WITH done AS (
  UPDATE {schema}.oban_jobs j SET state = 'completed', completed_at = timezone('UTC', now())
  FROM unnest(%(ids)s::bigint[], %(claims)s::text[], %(values)s::bytea[]) AS g(id, claim, value)
  WHERE j.id = g.id AND j.state = 'executing' AND j.attempted_by[3] = g.claim
  RETURNING j.id, g.value
),
kept AS (
  INSERT INTO {schema}.treadle_results (job_id, value, stored_at) SELECT id, value, timezone('UTC', now()) FROM done
  ON CONFLICT (job_id) DO UPDATE SET value = excluded.value, stored_at = excluded.stored_at
),
cleared AS (DELETE FROM {schema}.treadle_suspects s USING done d WHERE s.job_id = d.id),
unasked AS (DELETE FROM {schema}.treadle_cancels c USING done d WHERE c.job_id = d.id)
SELECT id FROM done
