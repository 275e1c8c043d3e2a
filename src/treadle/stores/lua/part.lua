-- Takes an owner off the list of owners, so that it claims no more and its claims are given back, by whomever.
-- KEYS 1 treadle:owners (zset), 2 treadle:leaving (set)
-- ARGV 1 owner
-- Returns 1.

local bad = wrong(KEYS[1], 'zset', KEYS[2], 'set')
if bad then return bad end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('SADD', KEYS[2], ARGV[1])
return 1
