-- Sets one claimed job aside: it runs alone next. One that somebody wants cancelled ends as cancelled.
-- KEYS 1 to 10 as for every settlement, 11 treadle:suspended:<name> (list)
-- ARGV 1 to 4 as for every settlement, 5 workers that died while it ran alone
-- Returns "applied", "repeated" or "gone".

local answer = refused() or wrong(KEYS[11], 'list')
if answer then return answer end
local _, seconds = clock()
local text = ARGV[5] .. '\0' .. payload(redis.call('HGET', KEYS[1], ARGV[1]))
if remove() then return finish(seconds, 0) end
redis.call('LPUSH', KEYS[11], text)
return 'applied'
