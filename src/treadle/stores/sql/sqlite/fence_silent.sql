-- Dead: another boot; a steady clock that went back (a boot that this system cannot name); or a lease that ran out.
UPDATE treadle_owners SET fenced_at = :now
WHERE fenced_at IS NULL AND (boot <> :boot OR beat > :steady + 60 OR beat + lease < :steady)
RETURNING owner
