-- Moves what is no job from retry or schedule to dead.
-- KEYS 1 retry or schedule (zset), 2 dead (zset)
-- ARGV 1 its text in the set, 2.. how its text in dead is made of that, see spliced
-- Returns 1, or 0 where it was gone.

local bad = wrong(KEYS[1], 'zset', KEYS[2], 'zset')
if bad then return bad end
local now, seconds = clock()
local text = spliced(ARGV[1], 2, now)
if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then return 0 end
bury(KEYS[2], now, seconds, text)
return 1
