INSERT INTO {schema}.treadle_queues (queue, paused_at) SELECT queue, timezone('UTC', now()) FROM unnest(%(queues)s::text[]) AS queue
ON CONFLICT (queue) DO NOTHING
