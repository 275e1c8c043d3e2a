DELETE FROM treadle_queues WHERE queue = :queue
