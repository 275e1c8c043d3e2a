-- Of the jobs of a key that we inserted, the newest that still counts, among the newest fifty: what ended stands there
-- for as long as it is kept. A statement of its own: it sees what was committed while its key was waited for.
-- OFFSET 0 keeps the planner, which knows little of young tables, from reading all of them.
SELECT g.number, found.id, found.state
FROM json_to_recordset(%(wanted)s::json) AS g(number integer, key text, states text[], period double precision,
  timestamp text, unstarted boolean)
CROSS JOIN LATERAL (
  SELECT j.id, j.state::text
  FROM (
    SELECT job_id FROM {schema}.treadle_unique WHERE key = g.key AND job_id > 0 ORDER BY job_id DESC LIMIT 50
  ) AS u
  CROSS JOIN LATERAL (SELECT * FROM {schema}.oban_jobs WHERE id = u.job_id OFFSET 0) AS j
  WHERE j.state::text = ANY (g.states) AND (NOT g.unstarted OR j.attempted_at IS NULL)
    AND (g.period IS NULL OR CASE g.timestamp WHEN 'scheduled_at' THEN j.scheduled_at ELSE j.inserted_at END
      >= timezone('UTC', now()) - make_interval(secs => g.period))
  ORDER BY j.id DESC LIMIT 1
) AS found
