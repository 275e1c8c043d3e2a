INSERT INTO {schema}.treadle_unique (key, job_id)
SELECT key, job_id FROM unnest(%(keys)s::text[], %(ids)s::bigint[]) AS given(key, job_id)
ON CONFLICT (key, job_id) DO NOTHING
