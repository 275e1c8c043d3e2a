-- Ends one claim of an owner that left as dead: whether its job ran nobody knows, and a second time it must not. Not
-- noted as settled: what the owner may still send finds nothing.
-- KEYS 1 to 10 as for every settlement, 11 dead (zset)
-- ARGV 1 to 4 as for every settlement, 5.. how the job's last text is made of the one that is held, see spliced; none
--      where it is not to be kept
-- Returns "applied", "repeated" or "gone".

local answer = refused() or wrong(KEYS[11], 'zset')
if answer then return answer end
local now, seconds = clock()
local text = spliced(payload(redis.call('HGET', KEYS[1], ARGV[1])), 5, now)
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('SREM', KEYS[3], ARGV[1])
if text ~= '' then bury(KEYS[11], now, seconds, text) end
return finish(seconds, 1)
