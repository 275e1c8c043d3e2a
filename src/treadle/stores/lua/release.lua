-- Gives one claim back untouched, to be the next of its queue. One that somebody wants cancelled ends as cancelled.
-- KEYS 1 to 10 as for every settlement, 11 queues (set), 12 queue:<name> (list), 13 treadle:suspended:<name> (list)
-- ARGV 1 to 4 as for every settlement
-- Returns "applied", "repeated" or "gone".

local answer = refused() or wrong(KEYS[11], 'set', KEYS[12], 'list', KEYS[13], 'list')
if answer then return answer end
local _, seconds = clock()
local queue, alone, text = opened(redis.call('HGET', KEYS[1], ARGV[1]))
if remove() then return finish(seconds, 0) end
if alone then
  redis.call('RPUSH', KEYS[13], text)
else
  redis.call('SADD', KEYS[11], queue)
  redis.call('RPUSH', KEYS[12], text)
end
return 'applied'
