-- Moves claims of an owner that left back to where they came from, the newest first, so that the oldest is the next.
-- KEYS 1 treadle:inflight:<owner> (hash), 2 treadle:cancel:<owner> (set), 3 queues (set), 4.. lists: queue:<name> or
--      treadle:suspended:<name>
-- ARGV pairs of token and index of its list, 0 for one that stays all the same
-- Returns {how many were moved, token, entry, ...}: those that somebody wants cancelled, which stay.

local bad = wrong(KEYS[1], 'hash', KEYS[2], 'set', KEYS[3], 'set') or wrong_from(4, #KEYS, 'list')
if bad then return bad end
local moved, reply = 0, {0}
for i = 1, #ARGV, 2 do
  local entry = redis.call('HGET', KEYS[1], ARGV[i])
  if entry and redis.call('SISMEMBER', KEYS[2], ARGV[i]) == 1 then
    reply[#reply + 1] = ARGV[i]
    reply[#reply + 1] = entry
  elseif entry and ARGV[i + 1] ~= '0' then
    local queue, alone, text = opened(entry)
    redis.call('HDEL', KEYS[1], ARGV[i])
    redis.call('RPUSH', KEYS[3 + tonumber(ARGV[i + 1])], text)
    if not alone then redis.call('SADD', KEYS[3], queue) end
    moved = moved + 1
  end
end
reply[1] = moved
return reply
