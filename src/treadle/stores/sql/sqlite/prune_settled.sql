DELETE FROM treadle_settled WHERE settled_at < ?
