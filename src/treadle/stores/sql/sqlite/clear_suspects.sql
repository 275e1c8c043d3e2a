DELETE FROM treadle_suspects WHERE job_id IN (SELECT value FROM json_each(?))
