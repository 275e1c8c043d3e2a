-- Every outcome but a completion. `state` is where it leads, `after` seconds from now, `refund` gives the attempt back,
-- `final` says that the job would not come again. Where somebody asked for a cancel, one that would is cancelled.
WITH quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)),
held AS MATERIALIZED (
  SELECT g.*, NOT g.final AND EXISTS (
      SELECT 1 FROM {schema}.treadle_cancels c WHERE c.job_id = g.id AND c.claim = g.claim) AS wished,
    EXISTS (SELECT 1 FROM {schema}.treadle_suspects s WHERE s.job_id = g.id) AS suspect
  FROM quick CROSS JOIN json_to_recordset(%(settlements)s::json) AS g(id bigint, claim text, state text, final boolean,
    refund boolean, snoozed boolean, suspicion boolean, after double precision, error text, deaths integer)
  JOIN {schema}.oban_jobs j ON j.id = g.id
  WHERE (j.state = 'executing') IS TRUE AND j.attempted_by[3] = g.claim
  ORDER BY j.id FOR UPDATE OF j
),
done AS (
  UPDATE {schema}.oban_jobs j SET
    state = (CASE WHEN h.wished THEN 'cancelled' WHEN h.state = 'suspended' OR h.state = 'available' AND h.suspect THEN '{aside}'
      ELSE h.state END)::{schema}.oban_job_state,
    attempt = CASE WHEN h.refund AND NOT h.wished THEN greatest(j.attempt - 1, 0) ELSE j.attempt END,
    scheduled_at = CASE WHEN h.after IS NULL OR h.wished THEN j.scheduled_at
      ELSE timezone('UTC', now()) + make_interval(secs => h.after) END,
    cancelled_at = CASE WHEN h.wished OR h.state = 'cancelled' THEN timezone('UTC', now()) ELSE j.cancelled_at END,
    discarded_at = CASE WHEN h.state = 'discarded' THEN timezone('UTC', now()) ELSE j.discarded_at END,
    errors = CASE WHEN h.error IS NULL THEN j.errors ELSE j.errors || jsonb_build_object(
      'at', to_char(timezone('UTC', now()), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'attempt', j.attempt, 'error', h.error) END,
    meta = CASE WHEN h.snoozed AND NOT h.wished THEN CASE WHEN jsonb_typeof(j.meta) = 'object' THEN j.meta ELSE '{}' END || jsonb_build_object('snoozed',
      1 + CASE WHEN jsonb_typeof(j.meta->'snoozed') = 'number' THEN (j.meta->>'snoozed')::numeric ELSE 0 END)
      ELSE j.meta END
  FROM held h WHERE j.id = h.id
  RETURNING j.id, h.claim, j.queue, j.state
),
marked AS (
  INSERT INTO {schema}.treadle_settled (job_id, claim, settled_at)
  SELECT id, claim, timezone('UTC', now()) FROM held WHERE NOT final
  ON CONFLICT (job_id, claim) DO NOTHING
),
suspected AS (
  INSERT INTO {schema}.treadle_suspects (job_id, deaths)
  SELECT id, deaths FROM held WHERE deaths IS NOT NULL AND NOT wished
  ON CONFLICT (job_id) DO UPDATE SET deaths = excluded.deaths
),
cleared AS (
  DELETE FROM {schema}.treadle_suspects s USING held h WHERE s.job_id = h.id AND (h.wished OR NOT h.suspicion)
),
unasked AS (DELETE FROM {schema}.treadle_cancels c USING held h WHERE c.job_id = h.id),
told AS (
  SELECT pg_notify('{channel}', json_build_object('queue', queue)::text)
  FROM (SELECT DISTINCT queue FROM done WHERE state = 'available') AS waiting
)
SELECT id, claim FROM done WHERE (SELECT count(*) FROM told) >= 0
