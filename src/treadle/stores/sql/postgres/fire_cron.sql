UPDATE {schema}.treadle_crons SET last_tick = timezone('UTC', to_timestamp(%(tick)s))
WHERE name = %(name)s AND last_tick = timezone('UTC', to_timestamp(%(last_tick)s)) AND NOT paused
  AND %(tick)s <> %(last_tick)s AND to_timestamp(%(tick)s) <= clock_timestamp()
RETURNING name
