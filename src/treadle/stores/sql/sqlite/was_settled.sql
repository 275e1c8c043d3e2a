SELECT 1 FROM treadle_settled WHERE job_id = ? AND claim = ?
