-- A page of the jobs that stand in a list, from its head, or in a sorted set, from the highest score.
-- KEYS 1 the list or sorted set
-- ARGV 1 'list' or 'zset', 2 index of the first, 3 how many at the most, 4 how many bytes end the page before that
-- Returns how many stand there, then the entries; in a sorted set each is followed by its score.

local STEP = 25
local bad = wrong(KEYS[1], ARGV[1])
if bad then return bad end
local sorted = ARGV[1] == 'zset'
local at, left, bytes = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local found = {redis.call(sorted and 'ZCARD' or 'LLEN', KEYS[1])}
while left > 0 and bytes > 0 do
  local last = at + math.min(left, STEP) - 1
  local some = sorted and redis.call('ZREVRANGE', KEYS[1], at, last, 'WITHSCORES') or redis.call('LRANGE', KEYS[1], at, last)
  if #some == 0 then break end
  for _, text in ipairs(some) do
    found[#found + 1] = text
    bytes = bytes - #text
  end
  at, left = last + 1, left - STEP
end
return found
