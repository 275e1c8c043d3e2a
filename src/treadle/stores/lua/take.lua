-- Takes waiting jobs of one list away, and keeps how they ended for a day where that is asked: in one pass over the
-- list, where an LREM for each would make as many.
-- KEYS 1 the list, then for each job treadle:result:<jid> and unique:<token> (strings), the former again for no lock
-- ARGV 1 index in the list and 2 number of entries among which they stand, 3 the result record or '', then for each
--      job its entry and the id of a unique job whose lock is to go, or ''
-- Returns for each job 1, or 0 where it does not stand there.

-- No entry is this: a payload begins with a brace, and a job that was set aside with a number.
local GONE = '\0gone'
local bad = wrong(KEYS[1], 'list') or wrong_from(2, #KEYS, 'string')
if bad then return bad end
local at = {}
for offset, entry in ipairs(redis.call('LRANGE', KEYS[1], ARGV[1], ARGV[1] + ARGV[2] - 1)) do
  at[entry] = at[entry] or {}
  table.insert(at[entry], ARGV[1] + offset - 1)
end
-- Changes nothing, but is a write that passes where memory is full, and those after it pass with it.
redis.call('LTRIM', KEYS[1], 0, -1)
local taken, number = {}, 0
for job = 1, (#ARGV - 3) / 2 do
  local entry, jid = ARGV[2 * job + 2], ARGV[2 * job + 3]
  local index = at[entry] and table.remove(at[entry])
  taken[job] = index and 1 or 0
  if index then
    redis.call('LSET', KEYS[1], index, GONE)
    number = number + 1
    if jid ~= '' then unlock(KEYS[2 * job + 1], jid) end
    if ARGV[3] ~= '' then redis.call('SET', KEYS[2 * job], ARGV[3], 'EX', RESULT_SECONDS) end
  end
end
if number > 0 then redis.call('LREM', KEYS[1], number, GONE) end
return taken
