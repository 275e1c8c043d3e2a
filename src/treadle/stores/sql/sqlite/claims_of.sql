SELECT id FROM oban_jobs WHERE state = 'executing'
  AND CASE json_valid(attempted_by) WHEN 1 THEN json_extract(attempted_by, '$[2]') IS NOT NULL
    AND json_extract(attempted_by, '$[0]') = ? ELSE 0 END
ORDER BY priority, scheduled_at, id
