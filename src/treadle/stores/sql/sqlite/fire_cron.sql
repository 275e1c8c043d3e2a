UPDATE treadle_crons SET last_tick = :tick
WHERE name = :name AND last_tick = :last_tick AND NOT paused AND :tick <> :last_tick AND :tick <= :now
