-- Lends jobs of several queues to an owner; reading the length of a queue that gave too few arms its next wake-up.
-- KEYS 1 treadle:owners (zset), 2 treadle:fenced (zset), 3 treadle:inflight:<owner> (hash), 4 paused (set),
--      5.. the lists, in the order of ARGV: queue:<name>, or treadle:suspended:<name> for jobs that run alone
-- ARGV 1 owner, 2 id of this claim call, then for each demand: limit, '1' for alone, number of queues, their names
-- Returns {prefix of the tokens, {index of the list, entry, ...}, ...}; tokens are prefix-0000, prefix-0001, ... in
-- order of the reply, and sort by the server's time.

local bad = wrong(KEYS[1], 'zset', KEYS[2], 'zset', KEYS[3], 'hash', KEYS[4], 'set')
  or wrong_from(5, #KEYS, 'list')
if bad then return bad end
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  if redis.call('ZSCORE', KEYS[2], ARGV[1]) then return redis.error_reply('FENCED owner ' .. ARGV[1]) end
  return redis.error_reply('NOTENROLLED owner ' .. ARGV[1])
end

local prefix = clock() .. '-' .. ARGV[2]
local reply, taken = {prefix}, 0

-- Its change wakes this connection too, as that of a queue does.
local paused = {}
for _, name in ipairs(redis.call('SMEMBERS', KEYS[4])) do paused[name] = true end

local function take(key, head, number)
  local jobs = redis.call('LRANGE', KEYS[key], -number, -1)
  local found = #jobs
  if found == 0 then return 0 end
  redis.call('LTRIM', KEYS[key], 0, -(found + 1))
  local group, fields = {key - 5}, {}
  for i = found, 1, -1 do
    fields[#fields + 1] = prefix .. string.format('-%04d', taken)
    fields[#fields + 1] = head .. jobs[i]
    group[#group + 1] = jobs[i]
    taken = taken + 1
    if #fields == 4000 or i == 1 then
      redis.call('HSET', KEYS[3], unpack(fields))
      fields = {}
    end
  end
  reply[#reply + 1] = group
  return found
end

local key, at = 5, 3
while at <= #ARGV do
  local wanted, mark, queues = tonumber(ARGV[at]), ARGV[at + 1] == '1' and '\0' or '\0\0', tonumber(ARGV[at + 2])
  at = at + 3
  -- First an equal share of each queue, then what is left in their order.
  local share = math.ceil(wanted / queues)
  for pass = 1, queues > 1 and 2 or 1 do
    for i = 0, queues - 1 do
      if wanted > 0 and not paused[ARGV[at + i]] then
        wanted = wanted - take(key + i, ARGV[at + i] .. mark, pass == 1 and math.min(share, wanted) or wanted)
      end
    end
  end
  if wanted > 0 then
    for i = 0, queues - 1 do redis.call('LLEN', KEYS[key + i]) end
  end
  key, at = key + queues, at + queues
end
return reply
