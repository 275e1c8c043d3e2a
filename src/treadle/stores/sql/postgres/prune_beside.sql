-- What is kept beside jobs, after its time.
WITH results AS (
  DELETE FROM {schema}.treadle_results WHERE stored_at < timezone('UTC', now()) - interval '1 day'
),
settled AS (
  DELETE FROM {schema}.treadle_settled WHERE settled_at < timezone('UTC', now()) - interval '1 hour'
),
owners AS (
  DELETE FROM {schema}.treadle_owners WHERE fenced_at < timezone('UTC', now()) - interval '1 day'
),
serving AS (
  DELETE FROM {schema}.treadle_serving s
  WHERE NOT EXISTS (SELECT 1 FROM {schema}.treadle_owners o WHERE o.owner = s.owner)
),
suspects AS (
  DELETE FROM {schema}.treadle_suspects s WHERE NOT EXISTS (
    SELECT 1 FROM {schema}.oban_jobs j WHERE j.id = s.job_id AND j.state IN ('{aside}', 'executing', 'scheduled'))
)
DELETE FROM {schema}.treadle_cancels c
WHERE NOT EXISTS (SELECT 1 FROM {schema}.oban_jobs j WHERE j.id = c.job_id AND j.state = 'executing')
