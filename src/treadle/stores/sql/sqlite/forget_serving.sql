DELETE FROM treadle_serving WHERE owner = ?
