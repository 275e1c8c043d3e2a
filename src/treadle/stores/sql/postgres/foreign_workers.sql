-- Who serves queues and is no owner of ours. oban-py forgets after a minute whoever says nothing.
SELECT p.uuid::text, p.node, p.queue FROM {schema}.oban_producers p
WHERE p.updated_at >= timezone('UTC', now()) - interval '1 minute'
  AND NOT EXISTS (SELECT 1 FROM {schema}.treadle_owners o WHERE o.owner = p.node)
ORDER BY p.node, p.queue
