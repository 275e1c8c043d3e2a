-- Settles many claims whose jobs returned.
-- KEYS 1 treadle:inflight:<owner> (hash), 2 to 7 counters (strings, see count), 8.. treadle:settled:<claim call> (strings)
-- ARGV 1 day that the counters' keys begin with; then for each claim call: number of tokens (at most 5000), the last
--      digits of all of them as its mark takes them, the tokens
-- Returns the answers that are not "applied": {position from 0, answer, position, answer, ...}

local bad = wrong(KEYS[1], 'hash') or wrong_from(2, #KEYS, 'string')
if bad then return bad end

-- Two commands for all tokens of a claim call: a call out of Lua costs four times what the command does.
local answers, position, applied, at = {}, 0, 0, 2
for mark = 8, #KEYS do
  local first, last = at + 2, at + 1 + tonumber(ARGV[at])
  local held, missing = redis.call('HMGET', KEYS[1], unpack(ARGV, first, last)), false
  for i = 1, last - first + 1 do
    if not held[i] then missing = true end
  end
  local digits = ARGV[at + 1]
  if missing then
    local found = {}
    for i = first, last do
      if held[i - first + 1] then
        found[#found + 1] = string.sub(ARGV[i], -4) .. ','
      else
        answers[#answers + 1] = position + i - first
        answers[#answers + 1] = missed(KEYS[mark], ARGV[i])
      end
    end
    digits = table.concat(found)
  end
  if digits ~= '' then
    applied = applied + redis.call('HDEL', KEYS[1], unpack(ARGV, first, last))
    redis.call('APPEND', KEYS[mark], digits)
    redis.call('PEXPIRE', KEYS[mark], REPEAT_MILLISECONDS)
  end
  position, at = position + last - first + 1, last + 1
end
if applied > 0 then
  local _, seconds = clock()
  count(2, ARGV[1], seconds, applied, 0)
end
return answers
