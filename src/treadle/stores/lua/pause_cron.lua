-- Pauses an entry, or lets it go on: anew, so that ticks of the time in which it was paused never come.
-- KEYS 1 to 6 as for every script of the crontab
-- ARGV 1 name, 2 '1' to pause it
-- Returns 1, or 0 where there is none of this name.

local bad = no_crontab()
if bad then return bad end
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
local _, seconds = clock()
if ARGV[2] == '1' then
  redis.call('SADD', KEYS[5], ARGV[1])
elseif redis.call('SREM', KEYS[5], ARGV[1]) == 1 then
  redis.call('HSET', KEYS[3], ARGV[1], seconds)
end
return 1
