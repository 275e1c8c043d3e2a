-- At once where nobody runs it, or where who runs it is none of ours and would not be told.
UPDATE oban_jobs SET state = 'cancelled', cancelled_at = :now
WHERE id IN (SELECT value FROM json_each(:ids))
  AND (+state IN ('available', 'scheduled', 'retryable')
    OR (+state = 'suspended' AND id IN (SELECT job_id FROM treadle_suspects))
    OR (+state = 'executing' AND NOT CASE json_valid(attempted_by) WHEN 1 THEN
      json_extract(attempted_by, '$[2]') IS NOT NULL AND EXISTS (SELECT 1 FROM treadle_owners o
        WHERE o.owner = json_extract(attempted_by, '$[0]') AND o.fenced_at IS NULL) ELSE 0 END))
RETURNING id
