-- Jobs that are due, retries first.
-- KEYS 1 retry (zset), 2 schedule (zset)
-- ARGV 1 to pass over in retry, 2 to pass over in schedule, 3 most jobs
-- Returns {due in retry, due in schedule, 1 where there are more: a page ends with the text that makes it large}.

local bad = wrong(KEYS[1], 'zset', KEYS[2], 'zset')
if bad then return bad end
local now = clock()
local left, bytes = tonumber(ARGV[3]), 0

local function page(key, passed)
  local texts, step = {}, 1
  while left > 0 and bytes < PAGE_BYTES do
    -- Few at first, so that a set of large jobs is not read for the sake of one.
    step = math.min(2 * step, left)
    local found = redis.call('ZRANGEBYSCORE', key, '-inf', now, 'LIMIT', passed + #texts, step)
    for _, text in ipairs(found) do
      if bytes >= PAGE_BYTES then return texts end
      texts[#texts + 1] = text
      left, bytes = left - 1, bytes + #text
    end
    if #found < step then return texts end
  end
  return texts
end

local retry = page(KEYS[1], tonumber(ARGV[1]))
local schedule = page(KEYS[2], tonumber(ARGV[2]))
return {retry, schedule, (left == 0 or bytes >= PAGE_BYTES) and 1 or 0}
