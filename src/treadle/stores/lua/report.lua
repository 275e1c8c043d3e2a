-- Shows a process as Sidekiq's Web pages expect it, and takes the signals that were sent to it from there.
-- KEYS 1 processes (set), 2 <owner>, 3 <owner>:work, 4 <owner>:workers (hashes), 5 <owner>-signals (list),
--      6 to 13 treadle:done:<number> (hashes), each for ten seconds in turn
-- ARGV 1 owner, 2 seconds that the keys live, 3 number of queues and of jobs of them that were completed, those,
--      then the number of fields and values of <owner>, those, then the fields and values of :work and :workers
-- Returns the signals, oldest first.

local bad = wrong(KEYS[1], 'set', KEYS[2], 'hash', KEYS[3], 'hash', KEYS[4], 'hash', KEYS[5], 'list')
  or wrong_from(6, 13, 'hash')
if bad then return bad end
local now, seconds = clock()
local signals = redis.call('LRANGE', KEYS[5], 0, -1)
-- Exq deletes every :workers when any node dies, so both are written whole; a removal first passes when memory is full.
redis.call('UNLINK', KEYS[3], KEYS[4], KEYS[5])
redis.call('SADD', KEYS[1], ARGV[1])
local turn, at = math.floor(seconds / 10), 4 + tonumber(ARGV[3])
for i = 4, at - 1, 2 do
  -- Somebody else's value that is no number must not stop a report.
  redis.pcall('HINCRBY', KEYS[6 + turn % 8], ARGV[i], ARGV[i + 1])
  -- Read for a minute, and gone before its next turn.
  redis.call('EXPIREAT', KEYS[6 + turn % 8], turn * 10 + 75)
end
local last = at + tonumber(ARGV[at])
for i = at + 1, last, 2 do redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
redis.call('HSET', KEYS[2], 'beat', now)
redis.call('EXPIRE', KEYS[2], ARGV[2])
for i = last + 1, #ARGV, 2 do
  redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1])
  redis.call('HSET', KEYS[4], ARGV[i], ARGV[i + 1])
end
redis.call('EXPIRE', KEYS[3], ARGV[2])
redis.call('EXPIRE', KEYS[4], ARGV[2])
local ordered = {}
for i = #signals, 1, -1 do ordered[#ordered + 1] = signals[i] end
return ordered
