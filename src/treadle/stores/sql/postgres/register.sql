-- What oban-py and Oban's dashboards know a queue's server by. Others delete the row after a minute without news.
WITH stopped AS (DELETE FROM {schema}.oban_producers WHERE node = %(owner)s AND queue <> ALL (%(queues)s::text[]))
INSERT INTO {schema}.oban_producers AS p (uuid, name, node, queue, meta, started_at, updated_at)
SELECT g.uuid, 'Oban', o.owner, g.queue, jsonb_build_object('local_limit', g.slots, 'paused',
    g.paused OR EXISTS (SELECT 1 FROM {schema}.treadle_queues q WHERE q.queue = g.queue)),
  timezone('UTC', to_timestamp(%(started)s)), timezone('UTC', now())
FROM {schema}.treadle_owners o CROSS JOIN
  unnest(%(producers)s::uuid[], %(queues)s::text[], %(slots)s::integer[], %(paused)s::boolean[]) AS g(uuid, queue, slots, paused)
WHERE o.owner = %(owner)s AND o.fenced_at IS NULL
ORDER BY g.uuid
ON CONFLICT (uuid) DO UPDATE SET meta = excluded.meta, updated_at = excluded.updated_at
