-- One round trip for all queues. The owner's row is locked against a rescue that would fence it meanwhile. Each nested
-- loop stops at its limit, so that no row is locked that is not lent; rows whose attempts are used up are discarded.
-- Last comes how many places of the index were walked over to choose them; an index of another name tells nothing.
WITH quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)),
me AS MATERIALIZED (
  SELECT o.fenced_at IS NOT NULL AS fenced, extract(epoch FROM now())::double precision AS now,
    to_regclass('{schema}.oban_jobs_state_queue_priority_scheduled_at_id_index') AS index,
    pg_stat_get_xact_tuples_returned(to_regclass('{schema}.oban_jobs_state_queue_priority_scheduled_at_id_index')) AS before
  FROM {schema}.treadle_owners o CROSS JOIN quick
  WHERE o.owner = %(owner)s FOR SHARE OF o
),
chosen AS MATERIALIZED (
  SELECT waiting.* FROM me
  CROSS JOIN unnest(%(limits)s::integer[], %(alone)s::boolean[]) WITH ORDINALITY AS d(most, alone, number)
  CROSS JOIN LATERAL (
    SELECT j.id, j.sound, j.deaths, d.alone, q.producer, q.place
    FROM unnest(%(queues)s::text[], %(producers)s::text[], %(demands)s::integer[], %(least)s::integer[],
      %(since)s::double precision[], %(first)s::bigint[]) WITH ORDINALITY
      AS q(queue, producer, demand, least, since, first, place)
    CROSS JOIN LATERAL (
      SELECT * FROM (
        SELECT j.id, j.attempt < j.max_attempts AS sound, 0 AS deaths FROM {schema}.oban_jobs j
        WHERE NOT d.alone AND j.state = 'available' AND j.queue = q.queue
          AND (j.priority, j.scheduled_at, j.id) >= (q.least, timezone('UTC', to_timestamp(q.since)), q.first){not_aside}
        ORDER BY j.priority, j.scheduled_at, j.id LIMIT d.most FOR UPDATE OF j SKIP LOCKED
      ) AS available
      UNION ALL
      SELECT * FROM (
        SELECT j.id, j.attempt < j.max_attempts AS sound, s.deaths
        FROM {schema}.treadle_suspects s JOIN {schema}.oban_jobs j ON j.id = s.job_id
        WHERE d.alone AND j.state = '{aside}' AND j.queue = q.queue
        ORDER BY j.priority, j.scheduled_at, j.id LIMIT d.most FOR UPDATE OF j SKIP LOCKED
      ) AS suspended
    ) AS j
    WHERE q.demand = d.number AND NOT EXISTS (SELECT 1 FROM {schema}.treadle_queues p WHERE p.queue = q.queue)
    LIMIT d.most
  ) AS waiting
  WHERE NOT me.fenced
),
walked AS MATERIALIZED (
  SELECT pg_stat_get_xact_tuples_returned(me.index) - me.before AS number
  FROM me CROSS JOIN (SELECT count(*) FROM chosen) AS all_of_them
),
taken AS (
  UPDATE {schema}.oban_jobs j SET state = 'executing', attempt = j.attempt + 1, attempted_at = timezone('UTC', now()),
    attempted_by = ARRAY[%(owner)s, c.producer, %(claim)s]
  FROM chosen c WHERE j.id = c.id AND c.sound
  RETURNING c.place, j.priority, j.scheduled_at, j.id, j.worker, j.queue, j.args, j.attempt, j.max_attempts, c.deaths,
    j.meta, j.tags, c.alone
),
spent AS (
  UPDATE {schema}.oban_jobs j SET state = 'discarded', discarded_at = timezone('UTC', now()),
    errors = j.errors || jsonb_build_object(
      'at', to_char(timezone('UTC', now()), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'attempt', j.attempt,
      'error', format('available although all its %%s attempts are used', j.max_attempts))
  FROM chosen c WHERE j.id = c.id AND NOT c.sound
  RETURNING c.place, j.id, j.queue, j.attempt, j.max_attempts
),
-- A job that a person or a peer made available again is no suspect any more.
cleared AS (
  DELETE FROM {schema}.treadle_suspects s USING taken t WHERE s.job_id = t.id AND NOT t.alone
)
SELECT me.fenced, me.now, lent.sound, lent.id, lent.worker, lent.queue, lent.args, lent.attempt, lent.max_attempts,
  lent.deaths, lent.tags, lent.meta, lent.alone, lent.priority, lent.waited, extract(epoch FROM lent.scheduled_at)::double precision,
  coalesce(walked.number, 0)
FROM me CROSS JOIN walked LEFT JOIN (
  SELECT true AS sound, id, worker, queue, convert_to(args::text, 'UTF8') AS args, attempt, max_attempts, deaths,
    nullif(tags, '{}') AS tags, nullif(meta, '{}')::text AS meta, alone, place, priority, scheduled_at,
    CASE WHEN isfinite(scheduled_at) THEN extract(epoch FROM timezone('UTC', now()) - scheduled_at)::double precision
      ELSE 0 END AS waited
  FROM taken
  UNION ALL
  SELECT false, id, '', queue, '', attempt, max_attempts, 0, NULL, NULL, false, place, 0, NULL, 0 FROM spent
) AS lent ON true
ORDER BY lent.place, lent.priority, lent.scheduled_at, lent.id
