-- Ticks of the time in which it was paused never come: it begins anew where it goes on.
UPDATE treadle_crons SET last_tick = iif(paused AND NOT :paused, :tick, last_tick), paused = :paused WHERE name = :name
