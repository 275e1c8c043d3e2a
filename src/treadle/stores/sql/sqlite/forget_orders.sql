DELETE FROM treadle_orders WHERE told_at < ?
