-- Takes keys, all inserts in the same order: who inserts a unique job waits here for who inserts its like. `patience` is
-- how long; in a user's own transaction it is NULL, as that has limits of its own.
WITH limited AS MATERIALIZED (
  SELECT CASE WHEN %(patience)s::text IS NOT NULL THEN set_config('lock_timeout', %(patience)s::text, true) END
)
INSERT INTO {schema}.treadle_unique (key, job_id)
SELECT key, 0 FROM limited CROSS JOIN unnest(%(keys)s::text[]) AS given(key) ORDER BY key
ON CONFLICT (key, job_id) DO UPDATE SET job_id = excluded.job_id
