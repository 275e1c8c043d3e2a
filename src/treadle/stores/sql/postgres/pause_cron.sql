-- Ticks of the time in which it was paused never come: it begins anew where it goes on.
UPDATE {schema}.treadle_crons SET paused = %(paused)s,
  last_tick = CASE WHEN paused AND NOT %(paused)s THEN date_trunc('second', timezone('UTC', now())) ELSE last_tick END
WHERE name = %(name)s
RETURNING name
