-- Stands before every script of this folder.  Rules that all of them keep:
-- bytes in, bytes out (no cjson); the type of every key is looked at before the first write; where something is removed
-- that is the first write (it passes when the memory is full); nothing that can fail comes after it; TIME is the clock.

local RESULT_SECONDS = 86400
local FENCED_SECONDS = 86400
local DEAD_SECONDS = 15552000 -- 180 days: sidekiq job_retry.rb
local DEAD_LIMIT = 10000
local DAY_SECONDS = 157680000 -- five years: sidekiq launcher.rb
local REPEAT_MILLISECONDS = 30000
local PAGE_BYTES = 1048576 -- from which on a page takes no more jobs

-- wrong(key, type, ...): an error reply that names the first key of another type, or nil.
local function wrong(...)
  local given = {...}
  for i = 1, #given, 2 do
    local found = redis.call('TYPE', given[i])['ok']
    if found ~= 'none' and found ~= given[i + 1] then
      return redis.error_reply('WRONGTYPE expected key ' .. string.sub(given[i], 1, 200) .. ' to be a ' ..
        given[i + 1] .. ', got a ' .. found)
    end
  end
end

-- wrong_from(first, last, type): the same for KEYS[first] to KEYS[last].
local function wrong_from(first, last, kind)
  for i = first, last do
    local bad = wrong(KEYS[i], kind)
    if bad then return bad end
  end
end

-- The server's time as text, seconds with microseconds, and its whole seconds.
local function clock()
  local time = redis.call('TIME')
  return time[1] .. '.' .. string.sub('000000' .. time[2], -6), tonumber(time[1])
end

-- A score some seconds from now.
local function later(now, after)
  return string.format('%.6f', tonumber(now) + tonumber(after))
end

-- A time as it stands in a payload: without trailing zeros, as Ruby writes the number.  Sidekiq's SortedEntry#reschedule
-- (api.rb) names a job by the bytes that it would write itself; by others it makes a second job.
local function written(now)
  local text = string.gsub(now, '0+$', '')
  return string.sub(text, -1) == '.' and text .. '0' or text
end

-- A text made of stretches of `text`; for each stretch ARGV has four values from `first` to `last`, or to its end: the
-- bytes before it, the bytes up to its end, what follows it, and '1' where the time stands after that.
local function spliced(text, first, now, last)
  local pieces, time = {}, written(now)
  for i = first, last or #ARGV, 4 do
    pieces[#pieces + 1] = string.sub(text, tonumber(ARGV[i]) + 1, tonumber(ARGV[i + 1]))
    pieces[#pieces + 1] = ARGV[i + 2]
    if ARGV[i + 3] == '1' then pieces[#pieces + 1] = time end
  end
  return table.concat(pieces)
end

-- Six keys from KEYS[first]: stat:processed, stat:failed, then both for the day `base` and for the day after it (days
-- since the epoch).  Sidekiq's rule: processed includes failed.
local function count(first, base, seconds, processed, failed)
  local days = math.floor(seconds / 86400) - tonumber(base)
  local offsets = {0}
  if days == 0 or days == 1 then offsets[2] = 2 + 2 * days end
  for _, offset in ipairs(offsets) do
    -- Somebody else's value that is no number must not stop a settlement.
    if processed > 0 then redis.pcall('INCRBY', KEYS[first + offset], processed) end
    if failed > 0 then redis.pcall('INCRBY', KEYS[first + offset + 1], failed) end
  end
  if offsets[2] then
    redis.call('EXPIRE', KEYS[first + offsets[2]], DAY_SECONDS)
    redis.call('EXPIRE', KEYS[first + offsets[2] + 1], DAY_SECONDS)
  end
end

-- What a settlement that finds no claim is told.  The mark of a claim call lists the last four digits of the tokens
-- that were settled lately.
local function missed(mark, token)
  local settled = redis.call('GET', mark)
  if settled and string.find(settled, string.sub(token, -4) .. ',', 1, true) then return 'repeated' end
  return 'gone'
end

-- Every script that settles one claim begins with the same keys and arguments:
-- KEYS 1 treadle:inflight:<owner> (hash), 2 treadle:settled:<claim call> (string), 3 treadle:cancel:<owner> (set),
--      4 treadle:result:<jid> (string), 5 to 10 counters (strings, see count); the last one unique:<token> (string)
--      where ARGV 4 says so
-- ARGV 1 token, 2 day that the counters' keys begin with, 3 the result record that is kept if the job ends now, 4 the
--      id of the job if it is a unique one whose lock is to go if it ends now, else ''

-- Takes the lock of a unique job away, if it still is that job's.
local function unlock(key, jid)
  if redis.call('GET', key) == jid then redis.call('DEL', key) end
end

-- The reply where this claim cannot be settled, or nil.
local function refused()
  local bad = wrong(KEYS[1], 'hash', KEYS[2], 'string', KEYS[3], 'set') or wrong_from(4, 10, 'string')
    or ARGV[4] ~= '' and wrong(KEYS[#KEYS], 'string') or nil
  if bad then return bad end
  if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return missed(KEYS[2], ARGV[1]) end
end

-- Removes the claim, notes that it was settled, and takes back a wish to cancel it; says whether there was one.
local function remove()
  redis.call('HDEL', KEYS[1], ARGV[1])
  redis.call('APPEND', KEYS[2], string.sub(ARGV[1], -4) .. ',')
  redis.call('PEXPIRE', KEYS[2], REPEAT_MILLISECONDS)
  return redis.call('SREM', KEYS[3], ARGV[1]) == 1
end

local function finish(seconds, failed)
  if ARGV[4] ~= '' then unlock(KEYS[#KEYS], ARGV[4]) end
  if ARGV[3] ~= '' then redis.call('SET', KEYS[4], ARGV[3], 'EX', RESULT_SECONDS) end
  count(5, ARGV[2], seconds, 1, failed)
  return 'applied'
end

-- An entry in flight is `queue NUL deaths NUL payload`; a job that was set aside is kept as `deaths NUL payload`, and
-- deaths is empty for every other.  Gives queue, whether it was set aside, and what is put back.
local function opened(entry)
  local first = string.find(entry, '\0', 1, true)
  local second = string.find(entry, '\0', first + 1, true)
  if second == first + 1 then return string.sub(entry, 1, first - 1), false, string.sub(entry, second + 1) end
  return string.sub(entry, 1, first - 1), true, string.sub(entry, first + 1)
end

local function payload(entry)
  local first = string.find(entry, '\0', 1, true)
  return string.sub(entry, (string.find(entry, '\0', first + 1, true) or first) + 1)
end

local function bury(dead, now, seconds, text)
  redis.call('ZADD', dead, now, text)
  redis.call('ZREMRANGEBYSCORE', dead, '-inf', '(' .. (seconds - DEAD_SECONDS))
  redis.call('ZREMRANGEBYRANK', dead, 0, -(DEAD_LIMIT + 1))
end

-- Every script of the crontab begins with the same keys, each by the entries' names:
-- KEYS 1 treadle:crons (hash: what it says), 2 treadle:crons:schedules (hash: what of it says when), 3 treadle:crons:ticks
--      (hash: the last tick), 4 treadle:crons:seen (hash: when code last declared it), 5 treadle:crons:paused (set),
--      6 treadle:crons:changed (set: by a person, against the code)

local function no_crontab()
  return wrong_from(1, 4, 'hash') or wrong_from(5, 6, 'set')
end

-- What an entry says; it begins now where its schedule is new.
local function set_cron(name, schedule, text, seconds)
  if redis.call('HGET', KEYS[2], name) ~= schedule then redis.call('HSET', KEYS[3], name, seconds) end
  redis.call('HSET', KEYS[2], name, schedule)
  redis.call('HSET', KEYS[1], name, text)
end

local function remove_cron(name)
  for i = 2, 4 do redis.call('HDEL', KEYS[i], name) end
  for i = 5, 6 do redis.call('SREM', KEYS[i], name) end
  return redis.call('HDEL', KEYS[1], name)
end
