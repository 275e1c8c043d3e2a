DELETE FROM treadle_unique WHERE job_id IN (SELECT value FROM json_each(?))
