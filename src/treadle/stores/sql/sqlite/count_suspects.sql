SELECT count(*) FROM treadle_suspects s CROSS JOIN oban_jobs j ON j.id = s.job_id
WHERE j.state = 'suspended' AND j.queue IN (SELECT value FROM json_each(?) EXCEPT SELECT queue FROM treadle_queues)
