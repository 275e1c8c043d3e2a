SELECT count(*) FROM {schema}.treadle_suspects s JOIN {schema}.oban_jobs j ON j.id = s.job_id
WHERE j.state = '{aside}' AND j.queue = ANY (%(queues)s)
  AND j.queue NOT IN (SELECT queue FROM {schema}.treadle_queues)
