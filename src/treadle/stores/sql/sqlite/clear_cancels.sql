DELETE FROM treadle_cancels WHERE job_id IN (SELECT value FROM json_each(?))
