-- Takes one waiting or dead job away, and keeps how it ended for a day where that is asked.
-- KEYS 1 the list or sorted set that it stands in, 2 treadle:result:<jid>, 3 unique:<token> (strings), the last one
--      where ARGV 4 says so
-- ARGV 1 'list' or 'zset', 2 the job's text, 3 the result record or '', 4 the id of a unique job whose lock is to go, or
--      ''
-- Returns how many were taken away.

local bad = wrong(KEYS[1], ARGV[1], KEYS[2], 'string') or wrong_from(3, #KEYS, 'string')
if bad then return bad end
local taken = ARGV[1] == 'list' and redis.call('LREM', KEYS[1], 1, ARGV[2]) or 0
if ARGV[1] == 'zset' then taken = redis.call('ZREM', KEYS[1], ARGV[2]) end
if taken > 0 and ARGV[4] ~= '' then unlock(KEYS[3], ARGV[4]) end
if taken > 0 and ARGV[3] ~= '' then redis.call('SET', KEYS[2], ARGV[3], 'EX', RESULT_SECONDS) end
return taken
