WITH done AS (
  DELETE FROM {schema}.oban_jobs j
  WHERE j.id = ANY (%(ids)s::bigint[]) AND j.state <> 'executing'
    AND (j.state::text <> 'suspended' OR EXISTS (SELECT 1 FROM {schema}.treadle_suspects s WHERE s.job_id = j.id))
  RETURNING j.id
),
cleared AS (DELETE FROM {schema}.treadle_suspects s USING done d WHERE s.job_id = d.id),
unkeyed AS (DELETE FROM {schema}.treadle_unique u USING done d WHERE u.job_id = d.id),
unasked AS (DELETE FROM {schema}.treadle_cancels c USING done d WHERE c.job_id = d.id)
SELECT count(*) FROM done
