SELECT 1 FROM treadle_cancels WHERE job_id = ? AND claim = ?
