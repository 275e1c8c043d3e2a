INSERT INTO treadle_queues (queue, paused_at) VALUES (:queue, :now) ON CONFLICT (queue) DO NOTHING
