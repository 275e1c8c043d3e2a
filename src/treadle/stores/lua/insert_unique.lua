-- Inserts jobs, some of them unique, once for one operation: all, but for those whose lock another job holds.
-- KEYS 1 operation (string), 2 queues (set), 3 schedule (zset), 4.. the lists of the queues, then for each lock:
--      unique:<token> and treadle:unique:<token> (strings)
-- ARGV 1 milliseconds that the operation is remembered, 2 text between the two times, 3 text after the last time,
--      4 number of queues, then their names; then for each job: its id, index of its queue, when (+seconds from now, an
--      instant, or '' for now), its text up to the first time, index of its lock or 0, seconds that the lock holds, '1'
--      if from when the job is due, '1' if what waits for its time may be changed, text before the time at which the
--      lock ends
-- Returns for each job two texts: '', or the id of the job that holds its lock; and that one's text in schedule, or ''
--      where it may not be changed or is not there.

local lists = tonumber(ARGV[4])
local bad = wrong(KEYS[1], 'string', KEYS[2], 'set', KEYS[3], 'zset') or wrong_from(4, 3 + lists, 'list')
  or wrong_from(4 + lists, #KEYS, 'string')
if bad then return bad end

-- Whose lock each job met, as it was answered when this operation was done.
local done, before = redis.call('GET', KEYS[1]), {}
for holder in string.gmatch(done or '', '([^%z]*)%z') do before[#before + 1] = holder end

local now = clock()
local stamp = written(now)
local answers, holders = {}, {}
for at = 5 + lists, #ARGV, 9 do
  local jid, list, when, head, lock, seconds, timed, changes, mark = unpack(ARGV, at, at + 8)
  local due, tail, holder, kept, lasts, text = now, ARGV[3], '', '', '', ''
  if when ~= '' then due = string.sub(when, 1, 1) == '+' and later(now, string.sub(when, 2)) or when end
  local waits = tonumber(due) > tonumber(now)
  if lock ~= '0' then
    local key = KEYS[2 + lists + 2 * tonumber(lock)]
    kept = KEYS[3 + lists + 2 * tonumber(lock)]
    if not done then
      local ends = later(timed == '1' and waits and due or now, seconds)
      lasts = string.format('%.0f', math.max(1, (tonumber(ends) - tonumber(now)) * 1000))
      tail = mark .. written(ends) .. tail
      holder = redis.call('GET', key) or ''
      if holder == '' then redis.call('SET', key, jid, 'PX', lasts) end
    end
  end
  if done then holder = before[#holders + 1] or '' end
  if holder ~= '' then
    text = changes == '1' and redis.call('GET', kept) or ''
  elseif not done and waits then
    redis.call('ZADD', KEYS[3], due, head .. stamp .. tail)
    if changes == '1' then redis.call('SET', kept, head .. stamp .. tail, 'PX', lasts) end
  elseif not done then
    redis.call('LPUSH', KEYS[3 + tonumber(list)], head .. stamp .. ARGV[2] .. stamp .. tail)
    redis.call('SADD', KEYS[2], ARGV[4 + tonumber(list)])
    -- What stands there may be an older job's, whose lock ended before it was due.
    if changes == '1' then redis.call('DEL', kept) end
  end
  answers[#answers + 1] = holder
  answers[#answers + 1] = text
  holders[#holders + 1] = holder .. '\0'
end
if not done then redis.call('SET', KEYS[1], table.concat(holders), 'PX', ARGV[1]) end
return answers
