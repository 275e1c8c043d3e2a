SELECT count(*) FROM {schema}.oban_jobs WHERE state = 'available' AND queue = ANY (%(queues)s)
  AND queue NOT IN (SELECT queue FROM {schema}.treadle_queues)
