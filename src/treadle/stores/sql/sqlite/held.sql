-- Sorted by whoever reads them: a sort in SQLite would hold each row twice, and a row may be of many megabytes.
SELECT j.id, CAST(j.worker AS BLOB),
  CASE WHEN j.id || '/' || json_extract(j.attempted_by, '$[2]') NOT IN (SELECT value FROM json_each(:known))
    THEN CAST(j.args AS BLOB) END,
  CAST(j.meta AS BLOB), j.attempt, j.max_attempts,
  coalesce(s.deaths, 0), CAST(j.tags AS BLOB), j.scheduled_at,
  CAST(j.queue AS BLOB), json_extract(j.attempted_by, '$[2]'), c.job_id IS NOT NULL, j.attempted_at
FROM oban_jobs j
LEFT JOIN treadle_suspects s ON s.job_id = j.id
LEFT JOIN treadle_cancels c ON c.job_id = j.id AND c.claim = json_extract(j.attempted_by, '$[2]')
WHERE j.state = 'executing'
  AND CASE json_valid(j.attempted_by) WHEN 1 THEN json_extract(j.attempted_by, '$[2]') IS NOT NULL
    AND json_extract(j.attempted_by, '$[0]') = :owner ELSE 0 END
