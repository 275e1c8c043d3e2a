INSERT INTO treadle_crons (name, definition, schedule, last_tick)
VALUES (:name, :definition, :schedule, :tick)
ON CONFLICT (name) DO UPDATE SET
  definition = excluded.definition,
  last_tick = iif(schedule <> excluded.schedule, excluded.last_tick, last_tick),
  schedule = excluded.schedule,
  changed = seen_at IS NOT NULL
