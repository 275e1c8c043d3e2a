-- What a drain has to wait for, seen at one moment: a job that moves meanwhile is counted once, here or there.
-- KEYS 1.. the lists of the queues, then treadle:inflight:<owner> (hashes)
-- ARGV 1 number of lists
-- Returns {length of a key, ...}.

local lists, lengths = tonumber(ARGV[1]), {}
local bad = wrong_from(1, lists, 'list') or wrong_from(lists + 1, #KEYS, 'hash')
if bad then return bad end
for i = 1, #KEYS do lengths[i] = redis.call(i <= lists and 'LLEN' or 'HLEN', KEYS[i]) end
return lengths
