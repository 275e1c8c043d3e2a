-- What is told is not kept: no commit waits for the disk because of it, nor for long for others that tell something.
-- Metrics bear the server's time.
-- The channel of inserts, but for its last word.
WITH quick AS MATERIALIZED (
  SELECT set_config('synchronous_commit', 'off', true), set_config('lock_timeout', '250ms', true)
),
told AS MATERIALIZED (
  SELECT count(pg_notify(left('{channel}', -6) || n.channel, CASE WHEN n.channel = 'metrics'
    THEN left(n.payload, -1) || ',"time":' || floor(extract(epoch FROM now()))::bigint || '}' ELSE n.payload END))
  FROM quick CROSS JOIN unnest(%(channels)s::text[], %(payloads)s::text[]) AS n(channel, payload)
)
SELECT array(SELECT queue FROM {schema}.treadle_queues) FROM told
