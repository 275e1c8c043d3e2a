-- Changes a unique job that waits for its time, if it still stands there as it was seen.
-- KEYS 1 schedule (zset), 2 treadle:unique:<token>, 3 unique:<token> (strings)
-- ARGV 1 its text, 2 its new text, 3 when (+seconds from now, an instant, or '' to leave that), 4 seconds from then on
--      that its lock holds, or '' to leave that
-- Returns 1, or 0 where it went on.

local bad = wrong(KEYS[1], 'zset', KEYS[2], 'string', KEYS[3], 'string')
if bad then return bad end
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not score then return 0 end
local now = clock()
if ARGV[3] ~= '' then score = string.sub(ARGV[3], 1, 1) == '+' and later(now, string.sub(ARGV[3], 2)) or ARGV[3] end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[1], score, ARGV[2])
redis.call('SET', KEYS[2], ARGV[2], 'KEEPTTL')
if ARGV[4] ~= '' then
  local lasts = string.format('%.0f', math.max(1, (tonumber(later(score, ARGV[4])) - tonumber(now)) * 1000))
  redis.call('PEXPIRE', KEYS[2], lasts)
  redis.call('PEXPIRE', KEYS[3], lasts)
end
return 1
