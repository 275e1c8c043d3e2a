-- A job whose cancel was asked for must not run again because its worker died.
UPDATE oban_jobs SET attempt = max(attempt - 1, 0),
  cancelled_at = CASE WHEN id IN (SELECT job_id FROM treadle_cancels WHERE claim = json_extract(attempted_by, '$[2]'))
    THEN :now ELSE cancelled_at END,
  state = CASE
    WHEN id IN (SELECT job_id FROM treadle_cancels WHERE claim = json_extract(attempted_by, '$[2]')) THEN 'cancelled'
    WHEN id IN (SELECT job_id FROM treadle_suspects) THEN 'suspended'
    ELSE 'available' END
WHERE id IN (SELECT value FROM json_each(:ids)) AND +state = 'executing'
