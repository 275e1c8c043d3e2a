-- What a drain has to wait for, seen at one moment: a job that moves meanwhile is counted once, here or there.
-- KEYS 1 paused (set), then the lists of the queues, then treadle:inflight:<owner> (hashes)
-- ARGV the queues' names
-- Returns {length of a list or hash, ...}; that of a paused queue is 0.

local lists, lengths = #ARGV + 1, {}
local bad = wrong(KEYS[1], 'set') or wrong_from(2, lists, 'list') or wrong_from(lists + 1, #KEYS, 'hash')
if bad then return bad end
for i = 2, #KEYS do
  if i > lists then
    lengths[i - 1] = redis.call('HLEN', KEYS[i])
  else
    lengths[i - 1] = redis.call('SISMEMBER', KEYS[1], ARGV[i - 1]) == 1 and 0 or redis.call('LLEN', KEYS[i])
  end
end
return lengths
