-- Of the jobs of a key that we inserted, the newest that still counts. A statement of its own: it sees what was committed
-- while its key was waited for.
SELECT DISTINCT ON (g.number) g.number, j.id, j.state::text
FROM json_to_recordset(%(wanted)s::json) AS g(number integer, key text, states text[], period double precision,
  timestamp text, unstarted boolean)
JOIN {schema}.treadle_unique u ON u.key = g.key AND u.job_id > 0
JOIN {schema}.oban_jobs j ON j.id = u.job_id
WHERE j.state::text = ANY (g.states) AND (NOT g.unstarted OR j.attempted_at IS NULL)
  AND (g.period IS NULL OR CASE g.timestamp WHEN 'scheduled_at' THEN j.scheduled_at ELSE j.inserted_at END
    >= timezone('UTC', now()) - make_interval(secs => g.period))
ORDER BY g.number, j.id DESC
