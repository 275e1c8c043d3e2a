-- The whole crontab.
-- KEYS 1 to 6 as for every script of the crontab
-- Returns {time, entries, last ticks, times when declared (each name, value, name, value…), paused, changed}.

local bad = no_crontab()
if bad then return bad end
return {(clock()), redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', KEYS[3]), redis.call('HGETALL', KEYS[4]),
  redis.call('SMEMBERS', KEYS[5]), redis.call('SMEMBERS', KEYS[6])}
