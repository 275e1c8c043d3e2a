-- Jobs that are due, retries first.
-- KEYS 1 retry (zset), 2 schedule (zset)
-- ARGV 1 to pass over in retry, 2 to pass over in schedule, 3 most jobs
-- Returns {due in retry, due in schedule}.

local bad = wrong(KEYS[1], 'zset', KEYS[2], 'zset')
if bad then return bad end
local now = clock()
local retry = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', ARGV[1], ARGV[3])
local left = tonumber(ARGV[3]) - #retry
if left == 0 then return {retry, {}} end
return {retry, redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', ARGV[2], left)}
