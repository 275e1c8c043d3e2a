DELETE FROM treadle_crons WHERE name = ?
