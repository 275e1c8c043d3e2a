WITH resumed AS (DELETE FROM {schema}.treadle_queues WHERE queue = ANY (%(queues)s) RETURNING queue)
SELECT pg_notify('{channel}', json_build_object('queue', queue)::text) FROM resumed
