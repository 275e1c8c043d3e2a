-- What an owner holds, and which of it somebody wants cancelled.
-- KEYS 1 treadle:inflight:<owner> (hash), 2 treadle:cancel:<owner> (set)
-- ARGV tokens whose entries are known
-- Returns {time, {token, entry, ...}, {token, ...}}; a known entry is ''.

local bad = wrong(KEYS[1], 'hash', KEYS[2], 'set')
if bad then return bad end
local entries = {}
if #ARGV == 0 then
  entries = redis.call('HGETALL', KEYS[1])
else
  local known = {}
  for _, token in ipairs(ARGV) do known[token] = '' end
  for _, token in ipairs(redis.call('HKEYS', KEYS[1])) do
    entries[#entries + 1] = token
    entries[#entries + 1] = known[token] or redis.call('HGET', KEYS[1], token)
  end
end
return {(clock()), entries, redis.call('SMEMBERS', KEYS[2])}
