-- The ids were drawn before, so what is sent again meets its own rows, and fails. Who waits is told in the same
-- transaction, but for queues that are told of later. Ids for the next insert come with the answer.
WITH given AS (
  SELECT g.*, timezone('UTC', now()) AS now,
    coalesce(timezone('UTC', to_timestamp(g.at)), timezone('UTC', now()) + make_interval(secs => coalesce(g.delay, 0))) AS due
  FROM json_to_recordset(%(jobs)s::json) AS g(id bigint, queue text, worker text, args jsonb, max_attempts integer,
    priority integer, tags text[], meta jsonb, at double precision, delay double precision)
),
put AS (
  INSERT INTO {schema}.oban_jobs
    (id, state, queue, worker, args, max_attempts, inserted_at, scheduled_at, priority, tags, meta)
  OVERRIDING SYSTEM VALUE
  SELECT id, (CASE WHEN due > now THEN 'scheduled' ELSE 'available' END)::{schema}.oban_job_state, queue, worker, args,
    max_attempts, now, greatest(due, now), priority, tags, meta
  FROM given
  RETURNING queue, state
),
told AS (
  SELECT pg_notify('{channel}', json_build_object('queue', queue)::text)
  FROM (SELECT DISTINCT queue FROM put WHERE state = 'available' AND queue <> ALL (%(silent)s::text[])) AS waiting
)
SELECT (SELECT count(*) FROM told), ARRAY(
  SELECT nextval((SELECT pg_get_serial_sequence('{schema}.oban_jobs', 'id'))::regclass) FROM generate_series(1, %(ahead)s))
