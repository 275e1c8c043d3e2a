-- `attempted_by` ends in the claim: a job that was rescued, or claimed again, matches no more.
-- IS TRUE keeps the planner on the primary key: by state it would walk over whatever ran and is not cleaned up yet.
WITH quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)),
done AS (
  UPDATE {schema}.oban_jobs j SET state = 'completed', completed_at = timezone('UTC', now())
  FROM quick CROSS JOIN unnest(%(ids)s::bigint[], %(claims)s::text[]) AS g(id, claim)
  WHERE j.id = g.id AND (j.state = 'executing') IS TRUE AND j.attempted_by[3] = g.claim
  RETURNING j.id, g.claim
),
cleared AS (DELETE FROM {schema}.treadle_suspects s USING done d WHERE s.job_id = d.id),
unasked AS (DELETE FROM {schema}.treadle_cancels c USING done d WHERE c.job_id = d.id)
SELECT id, claim FROM done
