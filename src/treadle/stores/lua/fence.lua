-- Fences the owners whose lease ran out: from here on they are refused, and what they hold may be taken back.
-- KEYS 1 treadle:owners (zset), 2 treadle:fenced (zset), 3 treadle:leaving (set), 4 treadle:holders (set)
-- ARGV 1 most owners
-- Returns {newly fenced owners, every owner whose claims are to be given back}.

local bad = wrong(KEYS[1], 'zset', KEYS[2], 'zset', KEYS[3], 'set', KEYS[4], 'set')
if bad then return bad end
local now, seconds = clock()
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(' .. (seconds - FENCED_SECONDS))
local silent = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])
for _, owner in ipairs(silent) do
  redis.call('ZREM', KEYS[1], owner)
  redis.call('ZADD', KEYS[2], now, owner)
  redis.call('SADD', KEYS[3], owner)
end
-- Whom somebody took off the list holds what nobody would give back.
for _, owner in ipairs(redis.call('SMEMBERS', KEYS[4])) do
  if not redis.call('ZSCORE', KEYS[1], owner) then redis.call('SADD', KEYS[3], owner) end
end
return {silent, redis.call('SMEMBERS', KEYS[3])}
