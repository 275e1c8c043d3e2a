-- Ends one claim of an owner that left as cancelled, as somebody wished while it ran. Not noted as settled: what the
-- owner may still send finds nothing.
-- KEYS 1 to 10 as for every settlement
-- ARGV 1 to 4 as for every settlement
-- Returns "applied", "repeated" or "gone".

local answer = refused()
if answer then return answer end
local _, seconds = clock()
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('SREM', KEYS[3], ARGV[1])
return finish(seconds, 0)
