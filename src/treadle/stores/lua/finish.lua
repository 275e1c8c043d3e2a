-- Settles one claim whose job ends, and keeps how it ended for a day: a value, a cancellation, a failure that is not
-- to be kept in dead.
-- KEYS 1 to 10 as for every settlement
-- ARGV 1 to 4 as for every settlement, 5 '1' for a failure
-- Returns "applied", "repeated" or "gone".

local answer = refused()
if answer then return answer end
local _, seconds = clock()
remove()
return finish(seconds, tonumber(ARGV[5]))
