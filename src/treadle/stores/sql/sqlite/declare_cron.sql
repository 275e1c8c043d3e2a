INSERT INTO treadle_crons (name, definition, schedule, last_tick, seen_at)
VALUES (:name, :definition, :schedule, :tick, :now)
ON CONFLICT (name) DO UPDATE SET
  definition = iif(:fresh AND NOT changed AND seen_at IS NOT NULL, excluded.definition, definition),
  last_tick = iif(
    :fresh AND NOT changed AND seen_at IS NOT NULL AND schedule <> excluded.schedule, excluded.last_tick, last_tick
  ),
  schedule = iif(:fresh AND NOT changed AND seen_at IS NOT NULL, excluded.schedule, schedule),
  -- What a person added before the code declared it is that person's.
  changed = changed OR seen_at IS NULL,
  seen_at = excluded.seen_at
