DELETE FROM treadle_results WHERE stored_at < ?
