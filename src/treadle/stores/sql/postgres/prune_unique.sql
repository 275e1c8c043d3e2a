-- The keys of jobs that are gone: of those that were pruned just now, and from the oldest on of those that another
-- program deleted. A key that is held stays; without its job it counts for nothing.
WITH gone AS (
  DELETE FROM {schema}.treadle_unique
  WHERE job_id > 0 AND (job_id = ANY (%(ids)s::bigint[])
    OR job_id < coalesce((SELECT min(id) FROM {schema}.oban_jobs), 9223372036854775807))
  RETURNING key, job_id
),
free AS (
  SELECT l.key FROM {schema}.treadle_unique l
  WHERE l.job_id = 0 AND l.key IN (SELECT key FROM gone) AND NOT EXISTS (
    SELECT 1 FROM {schema}.treadle_unique o
    WHERE o.key = l.key AND o.job_id > 0 AND o.job_id NOT IN (SELECT job_id FROM gone))
  FOR UPDATE SKIP LOCKED
)
DELETE FROM {schema}.treadle_unique USING free WHERE treadle_unique.key = free.key AND job_id = 0
