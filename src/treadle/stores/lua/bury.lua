-- Settles one claim whose job failed for good, or never was one.
-- KEYS 1 to 10 as for every settlement, 11 dead (zset)
-- ARGV 1 to 4 as for every settlement, 5 '1' if it counts as a failure, else '0',
--      6.. how the job's last text is made of the one that is held, see spliced
-- Returns "applied", "repeated" or "gone".

local answer = refused() or wrong(KEYS[11], 'zset')
if answer then return answer end
local now, seconds = clock()
local text = spliced(payload(redis.call('HGET', KEYS[1], ARGV[1])), 6, now)
remove()
bury(KEYS[11], now, seconds, text)
if ARGV[5] == '1' then finish(seconds, 1) end
return 'applied'
