DELETE FROM treadle_crons WHERE seen_at < ? AND NOT changed AND NOT paused
