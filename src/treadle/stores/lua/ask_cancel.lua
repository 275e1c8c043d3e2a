-- Asks the owner of a claim to cancel it.
-- KEYS 1 treadle:inflight:<owner> (hash), 2 treadle:cancel:<owner> (set)
-- ARGV 1 token
-- Returns 1, or 0 where the claim is not held any more.

local bad = wrong(KEYS[1], 'hash', KEYS[2], 'set')
if bad then return bad end
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('SADD', KEYS[2], ARGV[1])
redis.call('EXPIRE', KEYS[2], RESULT_SECONDS)
return 1
