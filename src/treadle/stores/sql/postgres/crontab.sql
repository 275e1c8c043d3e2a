SELECT name, definition::text, extract(epoch FROM last_tick)::bigint, paused, changed,
  extract(epoch FROM seen_at)::double precision, extract(epoch FROM clock_timestamp())::double precision
FROM (SELECT) AS one LEFT JOIN {schema}.treadle_crons ON true ORDER BY name COLLATE "C"
