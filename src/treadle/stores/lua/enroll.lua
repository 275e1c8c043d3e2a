-- Makes an owner known until its lease ends.
-- KEYS 1 treadle:owners (zset), 2 treadle:fenced (zset), 3 treadle:leaving (set), 4 treadle:holders (set)
-- ARGV 1 owner, 2 lease in seconds
-- Returns 1.

local bad = wrong(KEYS[1], 'zset', KEYS[2], 'zset', KEYS[3], 'set', KEYS[4], 'set')
if bad then return bad end
if redis.call('ZSCORE', KEYS[2], ARGV[1]) then return redis.error_reply('FENCED owner ' .. ARGV[1]) end
local now = clock()
-- A removal first, though of nothing as a rule: what follows then passes when the memory is full.
redis.call('SREM', KEYS[3], ARGV[1])
redis.call('ZADD', KEYS[1], later(now, ARGV[2]), ARGV[1])
redis.call('SADD', KEYS[4], ARGV[1])
return 1
