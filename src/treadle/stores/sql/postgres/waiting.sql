SELECT count(*) FROM (
  SELECT 1 FROM {schema}.oban_jobs j WHERE state = 'available' AND queue = ANY (%(queues)s){not_aside}
    AND queue NOT IN (SELECT queue FROM {schema}.treadle_queues)
  LIMIT 1000) AS waiting
