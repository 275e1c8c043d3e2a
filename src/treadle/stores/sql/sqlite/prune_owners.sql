DELETE FROM treadle_owners WHERE fenced_at < ?
