-- Inserts jobs, all or none, once for one operation.
-- KEYS 1 operation (string), 2 queues (set), 3 schedule (zset), 4.. the lists of the queues
-- ARGV 1 milliseconds that the operation is remembered, 2 text between the two times, 3 text after the last time,
--      4 number of queues, then for each queue: its name, number of jobs, their texts up to the first time;
--      then for each job with a time: when (+seconds from now, or an instant), index of its queue, its text
-- Returns 1, or 0 where this operation was done before.

local bad = wrong(KEYS[1], 'string', KEYS[2], 'set', KEYS[3], 'zset') or wrong_from(4, #KEYS, 'list')
if bad then return bad end
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end

local now = clock()
local stamp = written(now)
local between, tail, at = ARGV[2], ARGV[3], 5
local names = {}
for queue = 1, tonumber(ARGV[4]) do
  names[queue] = ARGV[at]
  local first = at + 2
  local last = at + 1 + tonumber(ARGV[at + 1])
  for from = first, last, 1000 do
    local texts = {}
    for i = from, math.min(from + 999, last) do texts[#texts + 1] = ARGV[i] .. stamp .. between .. stamp .. tail end
    redis.call('LPUSH', KEYS[3 + queue], unpack(texts))
  end
  if last >= first then redis.call('SADD', KEYS[2], names[queue]) end
  at = last + 1
end
while at <= #ARGV do
  local when, queue, text = ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2]
  local score = string.sub(when, 1, 1) == '+' and later(now, string.sub(when, 2)) or when
  if tonumber(score) <= tonumber(now) then
    redis.call('LPUSH', KEYS[3 + queue], text .. stamp .. between .. stamp .. tail)
    redis.call('SADD', KEYS[2], names[queue])
  else
    redis.call('ZADD', KEYS[3], score, text .. stamp .. tail)
  end
  at = at + 3
end
redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
return 1
