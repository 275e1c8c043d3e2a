-- Adds an entry, or changes the one of its name, as a person wants it.
-- KEYS 1 to 6 as for every script of the crontab
-- ARGV 1 name, 2 schedule, 3 what it says
-- Returns 1.

local bad = no_crontab()
if bad then return bad end
local _, seconds = clock()
set_cron(ARGV[1], ARGV[2], ARGV[3], seconds)
if redis.call('HEXISTS', KEYS[4], ARGV[1]) == 1 then redis.call('SADD', KEYS[6], ARGV[1]) end
return 1
