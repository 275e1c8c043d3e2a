-- Of the newest jobs of a queue in each state, those without a key: other programs inserted them, or they are not unique.
SELECT j.id, j.state::text, j.worker, j.queue, j.args::text, j.meta::text
-- Older tables have not every state.
FROM unnest(enum_range(NULL::{schema}.oban_job_state)) AS s(state)
CROSS JOIN LATERAL (
  SELECT * FROM {schema}.oban_jobs o WHERE o.state = s.state AND o.queue = %(queue)s
  ORDER BY o.priority DESC, o.scheduled_at DESC, o.id DESC LIMIT %(limit)s
) AS j
WHERE s.state::text = ANY (%(states)s::text[]) AND (%(worker)s::text IS NULL OR j.worker = %(worker)s) AND (NOT %(unstarted)s OR j.attempted_at IS NULL)
  AND (%(period)s::double precision IS NULL
    OR CASE %(timestamp)s WHEN 'scheduled_at' THEN j.scheduled_at ELSE j.inserted_at END
      >= timezone('UTC', now()) - make_interval(secs => %(period)s::double precision))
  AND NOT EXISTS (SELECT 1 FROM {schema}.treadle_unique u WHERE u.job_id = j.id AND u.job_id > 0 OFFSET 0)
