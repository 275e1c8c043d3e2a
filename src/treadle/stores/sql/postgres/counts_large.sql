-- The pairs of state and queue, by one look into the index for each; what is more than `most` by a share of the table.
WITH RECURSIVE pairs AS (
  (SELECT state, queue FROM {schema}.oban_jobs ORDER BY state, queue LIMIT 1)
  UNION ALL
  SELECT next.state, next.queue FROM pairs p CROSS JOIN LATERAL (
    SELECT j.state, j.queue FROM {schema}.oban_jobs j
    WHERE (j.state, j.queue) > (p.state, p.queue)
    ORDER BY j.state, j.queue LIMIT 1) AS next
),
counted AS MATERIALIZED (
  SELECT p.state, p.queue, (SELECT count(*) FROM (
    SELECT 1 FROM {schema}.oban_jobs j WHERE j.state = p.state AND j.queue = p.queue LIMIT %(most)s) AS found) AS number
  FROM pairs p
),
sampled AS (
  SELECT state, queue, round(count(*) * 100 / %(share)s::numeric)::bigint AS number
  FROM {schema}.oban_jobs TABLESAMPLE SYSTEM (%(share)s) GROUP BY state, queue
)
SELECT c.queue, c.state::text, CASE WHEN c.number < %(most)s THEN c.number ELSE greatest(c.number, s.number) END
FROM counted c LEFT JOIN sampled s USING (state, queue)
