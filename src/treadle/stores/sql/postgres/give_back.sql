-- The claims of one owner, or with NULL those of the fenced and of owners that nobody knows. Only rows with a third
-- element are ours; those of foreign programs are judged by their own rules. A job whose cancel was asked for must not
-- run again because its worker died. Of one that must not run twice nobody knows whether it ran; its claim is taken
-- off, so that what its owner may still send is told that it is gone.
WITH dead AS MATERIALIZED (
  SELECT j.id, wish.claim IS NOT NULL AS wished, wish.claim IS NULL AND coalesce(j.meta->>'treadle_rerun', '') = 'false' AS lost,
    s.job_id IS NOT NULL AS suspect
  FROM {schema}.oban_jobs j
  LEFT JOIN {schema}.treadle_cancels wish ON wish.job_id = j.id AND wish.claim = j.attempted_by[3]
  LEFT JOIN {schema}.treadle_suspects s ON s.job_id = j.id
  WHERE j.state = 'executing' AND j.attempted_by[3] IS NOT NULL AND CASE WHEN %(owner)s::text IS NULL
    THEN NOT EXISTS (
      SELECT 1 FROM {schema}.treadle_owners o WHERE o.owner = j.attempted_by[1] AND o.fenced_at IS NULL)
    ELSE j.attempted_by[1] = %(owner)s END
  ORDER BY j.priority, j.scheduled_at, j.id LIMIT %(limit)s FOR UPDATE OF j SKIP LOCKED
),
back AS (
  UPDATE {schema}.oban_jobs j SET
    state = (CASE WHEN d.wished THEN 'cancelled' WHEN d.lost THEN 'discarded' WHEN d.suspect THEN '{aside}'
      ELSE 'available' END)::{schema}.oban_job_state,
    attempt = CASE WHEN d.lost THEN j.attempt ELSE greatest(j.attempt - 1, 0) END,
    cancelled_at = CASE WHEN d.wished THEN timezone('UTC', now()) ELSE j.cancelled_at END,
    discarded_at = CASE WHEN d.lost THEN timezone('UTC', now()) ELSE j.discarded_at END,
    attempted_by = CASE WHEN d.lost THEN j.attempted_by[1:2] || 'lost'::text ELSE j.attempted_by END,
    errors = CASE WHEN d.lost THEN j.errors || jsonb_build_object(
      'at', to_char(timezone('UTC', now()), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'attempt', j.attempt, 'error', %(lost)s::text)
      ELSE j.errors END
  FROM dead d WHERE j.id = d.id
  RETURNING j.queue, j.state
),
cleared AS (DELETE FROM {schema}.treadle_suspects s USING dead d WHERE s.job_id = d.id AND (d.lost OR d.wished)),
unasked AS (DELETE FROM {schema}.treadle_cancels c USING dead d WHERE c.job_id = d.id),
told AS (
  SELECT pg_notify('{channel}', json_build_object('queue', queue)::text)
  FROM (SELECT DISTINCT queue FROM back WHERE state = 'available') AS waiting
)
SELECT (SELECT count(*) FROM back), (SELECT count(*) FROM told)
