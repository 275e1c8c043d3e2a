-- Renews the leases of the owners that are still enrolled.
-- KEYS 1 treadle:owners (zset), 2 treadle:fenced (zset)
-- ARGV pairs of owner and lease in seconds
-- Returns for each "alive", "fenced" or "unknown".

local bad = wrong(KEYS[1], 'zset', KEYS[2], 'zset')
if bad then return bad end
local now, seconds = clock()
-- A removal first: what follows then passes when the memory is full.
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(' .. (seconds - FENCED_SECONDS))
local answers = {}
for i = 1, #ARGV, 2 do
  if redis.call('ZSCORE', KEYS[1], ARGV[i]) then
    redis.call('ZADD', KEYS[1], later(now, ARGV[i + 1]), ARGV[i])
    answers[#answers + 1] = 'alive'
  else
    answers[#answers + 1] = redis.call('ZSCORE', KEYS[2], ARGV[i]) and 'fenced' or 'unknown'
  end
end
return answers
