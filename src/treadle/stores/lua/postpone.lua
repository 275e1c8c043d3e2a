-- Settles one claim whose job comes later: a failed attempt into retry, a snooze into schedule. One that somebody wants
-- cancelled ends as cancelled.
-- KEYS 1 to 10 as for every settlement, 11 retry or schedule (zset)
-- ARGV 1 to 4 as for every settlement, 5 '1' for a failure, 6 seconds from now,
--      7.. how the job's new text is made of the one that is held, see spliced
-- Returns "applied", "repeated" or "gone".

local answer = refused() or wrong(KEYS[11], 'zset')
if answer then return answer end
local now, seconds = clock()
local failed, score, text = tonumber(ARGV[5]), later(now, ARGV[6]), spliced(payload(redis.call('HGET', KEYS[1], ARGV[1])), 7, now)
if remove() then return finish(seconds, failed) end
redis.call('ZADD', KEYS[11], score, text)
count(5, ARGV[2], seconds, failed, failed)
return 'applied'
