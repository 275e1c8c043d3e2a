-- The jobs of an insert that was sent before, the newest job of each of its keys, and whether one without a key stands.
SELECT
  (SELECT coalesce(array_agg(job_id), '{}') FROM {schema}.treadle_unique WHERE job_id = ANY (%(ids)s::bigint[]) AND job_id > 0),
  (SELECT coalesce(json_object_agg(key, newest), '{}') FROM (
    SELECT key, max(job_id) AS newest FROM {schema}.treadle_unique
    WHERE key = ANY (%(keys)s::text[]) AND job_id > 0 GROUP BY key) AS found),
  EXISTS (SELECT 1 FROM {schema}.oban_jobs WHERE id = ANY (%(plain)s::bigint[]))
