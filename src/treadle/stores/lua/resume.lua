-- Moves a job that was set aside back to its queue, to run among others.
-- KEYS 1 treadle:suspended:<name> (list), 2 queues (set), 3 queue:<name> (list)
-- ARGV 1 the job's entry, 2 name of its queue
-- Returns 1, or 0 where it was gone.

local bad = wrong(KEYS[1], 'list', KEYS[2], 'set', KEYS[3], 'list')
if bad then return bad end
if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 0 then return 0 end
redis.call('SADD', KEYS[2], ARGV[2])
redis.call('LPUSH', KEYS[3], string.sub(ARGV[1], string.find(ARGV[1], '\0', 1, true) + 1))
return 1
