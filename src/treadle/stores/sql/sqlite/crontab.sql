SELECT CAST(name AS BLOB), CAST(definition AS BLOB), last_tick, paused, changed, seen_at FROM treadle_crons ORDER BY name
