-- Of living owners, however seldom they report. What nobody has spoken for in a minute is given back.
WITH living AS MATERIALIZED (
  SELECT owner FROM {schema}.treadle_owners
  WHERE fenced_at IS NULL AND greatest(beat, timezone('UTC', pg_postmaster_start_time()))
    + make_interval(secs => lease) >= timezone('UTC', now())
),
fresh AS (
  UPDATE {schema}.oban_producers p SET updated_at = timezone('UTC', now()) FROM living WHERE p.node = living.owner
)
SELECT p.uuid::text, p.node, p.queue FROM {schema}.oban_producers p
WHERE p.updated_at < timezone('UTC', now()) - interval '1 minute' AND p.node NOT IN (SELECT owner FROM living)
