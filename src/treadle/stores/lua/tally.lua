-- Counts what is in flight by queue.
-- KEYS treadle:inflight:<owner> (hashes)
-- Returns {queue, number, queue, number, ...}.

local bad = wrong_from(1, #KEYS, 'hash')
if bad then return bad end
local numbers, reply = {}, {}
for _, key in ipairs(KEYS) do
  for _, entry in ipairs(redis.call('HVALS', key)) do
    local queue = opened(entry)
    numbers[queue] = (numbers[queue] or 0) + 1
  end
end
for queue, number in pairs(numbers) do
  reply[#reply + 1] = queue
  reply[#reply + 1] = number
end
return reply
