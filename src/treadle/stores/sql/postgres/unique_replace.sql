-- What is NULL stays. One attempt more than were used is always left: else the job would be poison.
WITH given AS (
  SELECT timezone('UTC', now()) AS now, CASE WHEN %(moves)s THEN
    coalesce(timezone('UTC', to_timestamp(%(at)s::double precision)),
      timezone('UTC', now()) + make_interval(secs => coalesce(%(delay)s::double precision, 0))) END AS due
),
put AS (
  UPDATE {schema}.oban_jobs j SET
    args = coalesce(%(args)s::jsonb, args), meta = coalesce(%(meta)s::jsonb, meta), queue = coalesce(%(queue)s, queue),
    max_attempts = greatest(coalesce(%(max_attempts)s::integer, max_attempts), attempt + 1),
    priority = coalesce(%(priority)s::integer, priority), tags = coalesce(%(tags)s::text[], tags),
    scheduled_at = coalesce(greatest(g.due, CASE WHEN g.due IS NOT NULL THEN g.now END), scheduled_at),
    state = CASE WHEN g.due IS NULL THEN state WHEN g.due <= g.now THEN 'available'::{schema}.oban_job_state
      WHEN state = 'retryable' THEN state ELSE 'scheduled'::{schema}.oban_job_state END
  FROM given g WHERE j.id = %(id)s AND j.state::text = %(state)s
  RETURNING j.id, j.queue, j.state
)
SELECT id, CASE WHEN state = 'available' THEN pg_notify('{channel}', json_build_object('queue', queue)::text) END FROM put
