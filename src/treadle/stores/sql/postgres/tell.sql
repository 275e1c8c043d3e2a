SELECT pg_notify('{channel}', json_build_object('queue', queue)::text) FROM unnest(%(queues)s::text[]) AS waiting(queue)
