-- The same for any queue: of the newest jobs of the table.
SELECT j.id, j.state::text, j.worker, j.queue, j.args::text, j.meta::text
FROM (SELECT * FROM {schema}.oban_jobs o ORDER BY o.id DESC LIMIT %(limit)s) AS j
WHERE j.state::text = ANY (%(states)s::text[]) AND (%(worker)s::text IS NULL OR j.worker = %(worker)s)
  AND (NOT %(unstarted)s OR j.attempted_at IS NULL)
  AND (%(period)s::double precision IS NULL
    OR CASE %(timestamp)s WHEN 'scheduled_at' THEN j.scheduled_at ELSE j.inserted_at END
      >= timezone('UTC', now()) - make_interval(secs => %(period)s::double precision))
  AND NOT EXISTS (SELECT 1 FROM {schema}.treadle_unique u WHERE u.job_id = j.id AND u.job_id > 0 OFFSET 0)
