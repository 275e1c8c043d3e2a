-- Takes one job that waits for its time or is dead away, and keeps how it ended for a day where that is asked.
-- KEYS 1 the sorted set that it stands in, 2 treadle:result:<jid>, 3 unique:<token> (strings), the last one where
--      ARGV 3 says so
-- ARGV 1 the job's text, 2 the result record or '', 3 the id of a unique job whose lock is to go, or ''
-- Returns how many were taken away.

local bad = wrong(KEYS[1], 'zset', KEYS[2], 'string') or wrong_from(3, #KEYS, 'string')
if bad then return bad end
local taken = redis.call('ZREM', KEYS[1], ARGV[1])
if taken > 0 and ARGV[3] ~= '' then unlock(KEYS[3], ARGV[3]) end
if taken > 0 and ARGV[2] ~= '' then redis.call('SET', KEYS[2], ARGV[2], 'EX', RESULT_SECONDS) end
return taken
