-- Deletes the oldest of the dead.
-- KEYS 1 dead (zset)
-- ARGV 1 seconds since they died, 2 most jobs
-- Returns how many were deleted.

local bad = wrong(KEYS[1], 'zset')
if bad then return bad end
local now = clock()
local old = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', later(now, '-' .. ARGV[1]), 'LIMIT', 0, ARGV[2])
for _, text in ipairs(old) do redis.call('ZREM', KEYS[1], text) end
return #old
