-- Makes a tick the last one of an entry and inserts its jobs, if another is the last one still.
-- KEYS 1 to 6 as for every script of the crontab, 7 queues (set), 8 schedule (zset), 9 the list of the queue
-- ARGV 1 name, 2 the last tick, 3 the tick, 4 the queue's name, 5 seconds by which the jobs are delayed or '',
--      6 text between the two times of a job, 7 text after the last time, then for each job: its text up to the first time
-- Returns 1, or 0 where nothing was done.

local bad = no_crontab() or wrong(KEYS[7], 'set', KEYS[8], 'zset', KEYS[9], 'list')
if bad then return bad end
local now = clock()
if redis.call('HGET', KEYS[3], ARGV[1]) ~= ARGV[2] or redis.call('SISMEMBER', KEYS[5], ARGV[1]) == 1 or
  ARGV[3] == ARGV[2] or tonumber(ARGV[3]) > tonumber(now) then return 0 end
redis.call('HSET', KEYS[3], ARGV[1], ARGV[3])
local stamp, between, tail = written(now), ARGV[6], ARGV[7]
for i = 8, #ARGV do
  if ARGV[5] == '' then
    redis.call('LPUSH', KEYS[9], ARGV[i] .. stamp .. between .. stamp .. tail)
    redis.call('SADD', KEYS[7], ARGV[4])
  else
    redis.call('ZADD', KEYS[8], later(now, ARGV[5]), ARGV[i] .. stamp .. tail)
  end
end
return 1
