INSERT INTO {schema}.treadle_crons AS known (name, definition, schedule, last_tick, seen_at)
SELECT g.name, g.definition, g.schedule, date_trunc('second', timezone('UTC', now())), timezone('UTC', now())
FROM json_to_recordset(%(entries)s::json) AS g(name text, definition json, schedule text)
ORDER BY g.name
ON CONFLICT (name) DO UPDATE SET
  definition = CASE WHEN %(fresh)s AND NOT known.changed AND known.seen_at IS NOT NULL
    THEN excluded.definition ELSE known.definition END,
  schedule = CASE WHEN %(fresh)s AND NOT known.changed AND known.seen_at IS NOT NULL
    THEN excluded.schedule ELSE known.schedule END,
  last_tick = CASE WHEN %(fresh)s AND NOT known.changed AND known.seen_at IS NOT NULL
    AND known.schedule <> excluded.schedule THEN excluded.last_tick ELSE known.last_tick END,
  -- What a person added before the code declared it is that person's.
  changed = known.changed OR known.seen_at IS NULL,
  seen_at = excluded.seen_at
