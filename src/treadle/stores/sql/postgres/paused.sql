SELECT queue FROM {schema}.treadle_queues
