DELETE FROM treadle_cancels WHERE NOT EXISTS (SELECT 1 FROM oban_jobs j WHERE j.id = job_id AND +j.state = 'executing')
