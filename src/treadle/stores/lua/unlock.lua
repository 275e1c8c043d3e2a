-- Takes the locks of unique jobs away, each if it still is that job's.
-- KEYS unique:<token> (strings)
-- ARGV for each lock the id of the job
-- Returns 1.

local bad = wrong_from(1, #KEYS, 'string')
if bad then return bad end
for i = 1, #KEYS do unlock(KEYS[i], ARGV[i]) end
return 1
