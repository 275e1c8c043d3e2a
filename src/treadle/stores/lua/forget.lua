-- Forgets an owner that left and holds nothing any more.
-- KEYS 1 treadle:leaving (set), 2 treadle:inflight:<owner> (hash), 3 treadle:cancel:<owner> (set), 4 processes (set),
--      5 <owner>, 6 <owner>:work, 7 <owner>:workers (hashes), 8 <owner>-signals (list), 9 treadle:holders (set)
-- ARGV 1 owner
-- Returns 1, or 0 where it still holds something.

local bad = wrong(KEYS[1], 'set', KEYS[2], 'hash', KEYS[3], 'set', KEYS[4], 'set', KEYS[5], 'hash', KEYS[6], 'hash',
  KEYS[7], 'hash', KEYS[8], 'list', KEYS[9], 'set')
if bad then return bad end
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
redis.call('SREM', KEYS[1], ARGV[1])
redis.call('SREM', KEYS[4], ARGV[1])
redis.call('SREM', KEYS[9], ARGV[1])
redis.call('UNLINK', KEYS[3], KEYS[5], KEYS[6], KEYS[7], KEYS[8])
return 1
