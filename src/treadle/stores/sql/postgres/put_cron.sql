INSERT INTO {schema}.treadle_crons AS known (name, definition, schedule, last_tick)
VALUES (%(name)s, %(definition)s::json, %(schedule)s, date_trunc('second', timezone('UTC', now())))
ON CONFLICT (name) DO UPDATE SET
  definition = excluded.definition,
  schedule = excluded.schedule,
  last_tick = CASE WHEN known.schedule <> excluded.schedule THEN excluded.last_tick ELSE known.last_tick END,
  changed = known.seen_at IS NOT NULL
