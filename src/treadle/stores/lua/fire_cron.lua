-- Makes a tick the last one of an entry and inserts its jobs, if another is the last one still. It stands after an insert
-- that it calls, `insert()`, and gives it the keys and arguments that it leaves.
-- KEYS those of the insert, then treadle:crons:ticks (hash), treadle:crons:paused (set)
-- ARGV those of the insert, then the entry's name, the last tick, the tick
-- Returns what the insert returns, or nothing where it was not done.

local paused, ticks = table.remove(KEYS), table.remove(KEYS)
local tick, last, name = table.remove(ARGV), table.remove(ARGV), table.remove(ARGV)
local bad = wrong(ticks, 'hash', paused, 'set')
if bad then return bad end
local now = clock()
if redis.call('HGET', ticks, name) ~= last or redis.call('SISMEMBER', paused, name) == 1 or tick == last or
  tonumber(tick) > tonumber(now) then return false end
local answer = insert()
if type(answer) == 'table' and answer.err then return answer end
redis.call('HSET', ticks, name, tick)
return answer
