-- Living is who would not be fenced. A stamp from ahead of the clock, which was set back, is renewed too.
UPDATE oban_jobs SET attempted_at = :now
WHERE state = 'executing' AND (attempted_at < :cut OR attempted_at > :now)
  AND CASE json_valid(attempted_by) WHEN 1 THEN json_extract(attempted_by, '$[2]') IS NOT NULL
    AND json_extract(attempted_by, '$[0]') IN (SELECT owner FROM treadle_owners
      WHERE fenced_at IS NULL AND boot = :boot AND beat <= :steady + 60 AND beat + lease >= :steady) ELSE 0 END
