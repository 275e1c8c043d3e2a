-- Who serves queues and is none of ours. oban-py forgets after a minute whoever says nothing.
SELECT p.node, array_agg(p.queue ORDER BY p.queue) FROM {schema}.oban_producers p
WHERE p.updated_at >= timezone('UTC', now()) - interval '1 minute'
  AND NOT EXISTS (SELECT 1 FROM {schema}.treadle_owners o WHERE o.owner = p.node)
GROUP BY p.node ORDER BY p.node
