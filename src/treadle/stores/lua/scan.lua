-- A page of the jobs that stand in a list, from its head, or in a sorted set, from the highest score.
-- KEYS 1 the list or sorted set
-- ARGV 1 'list' or 'zset', 2 index of the first, 3 how many at the most, 4 how many bytes end the page before that
-- Returns how many stand there, then the entries; in a sorted set each is followed by its score.

local STEP = 8
local bad = wrong(KEYS[1], ARGV[1])
if bad then return bad end
local sorted = ARGV[1] == 'zset'
local at, left, bytes = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local found, longest = {redis.call(sorted and 'ZCARD' or 'LLEN', KEYS[1])}, bytes
while left > 0 and bytes > 0 do
  -- How large an entry is shows when it has been read: the first one alone, then as many as may well have room.
  local step = math.max(1, math.min(left, STEP, math.floor(bytes / longest)))
  local last = at + step - 1
  local some = sorted and redis.call('ZREVRANGE', KEYS[1], at, last, 'WITHSCORES') or redis.call('LRANGE', KEYS[1], at, last)
  if #some == 0 then break end
  if at == tonumber(ARGV[2]) then longest = 1 end
  for _, text in ipairs(some) do
    found[#found + 1] = text
    bytes, longest = bytes - #text, math.max(longest, #text)
  end
  at, left = last + 1, left - step
end
return found
