-- Takes keys, all inserts in the same order: who inserts a unique job waits here for who inserts its like.
INSERT INTO {schema}.treadle_unique (key, job_id)
SELECT key, 0 FROM unnest(%(keys)s::text[]) AS given(key) ORDER BY key
ON CONFLICT (key, job_id) DO UPDATE SET job_id = excluded.job_id
