-- Notes that a worker has these entries in its code, and then forgets those that none had for long.
-- KEYS 1 to 6 as for every script of the crontab
-- ARGV 1 '1' if what they say is to be set, 2 seconds after which an entry is forgotten,
--      then for each: its name, its schedule, what it says
-- Returns 1.

local bad = no_crontab()
if bad then return bad end
local now, seconds = clock()
for i = 3, #ARGV, 3 do
  local name, schedule, text = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local known = redis.call('HEXISTS', KEYS[1], name) == 1
  -- What a person added before the code declared it is that person's.
  if known and redis.call('HEXISTS', KEYS[4], name) == 0 then redis.call('SADD', KEYS[6], name) end
  if not known or (ARGV[1] == '1' and redis.call('SISMEMBER', KEYS[6], name) == 0) then
    set_cron(name, schedule, text, seconds)
  end
  redis.call('HSET', KEYS[4], name, now)
end
local seen = redis.call('HGETALL', KEYS[4])
for i = 1, #seen, 2 do
  local name, own = seen[i], redis.call('SISMEMBER', KEYS[5], seen[i]) + redis.call('SISMEMBER', KEYS[6], seen[i])
  if own == 0 and tonumber(seen[i + 1]) < tonumber(now) - tonumber(ARGV[2]) then remove_cron(name) end
end
return 1
