-- Moves jobs from a sorted set to their queues, each only if it was still there.
-- KEYS 1 retry, schedule or dead (zset), 2 queues (set), 3.. the lists of the queues
-- ARGV for each job: its text in the set, index of its queue, the queue's name, what its new text begins with, number of
--      values that follow: how the rest of it is made of the old one, see spliced
-- Returns how many were moved.

local bad = wrong(KEYS[1], 'zset', KEYS[2], 'set') or wrong_from(3, #KEYS, 'list')
if bad then return bad end
local now = clock()
local moved, at = 0, 1
while at <= #ARGV do
  local last = at + 4 + tonumber(ARGV[at + 4])
  local text = ARGV[at + 3] .. spliced(ARGV[at], at + 5, now, last)
  if redis.call('ZREM', KEYS[1], ARGV[at]) == 1 then
    redis.call('SADD', KEYS[2], ARGV[at + 2])
    redis.call('LPUSH', KEYS[2 + tonumber(ARGV[at + 1])], text)
    moved = moved + 1
  end
  at = last + 1
end
return moved
