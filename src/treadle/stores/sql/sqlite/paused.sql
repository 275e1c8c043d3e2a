SELECT queue FROM treadle_queues
