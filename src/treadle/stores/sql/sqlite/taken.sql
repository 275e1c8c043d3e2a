SELECT 1 FROM oban_jobs WHERE id = ?1 AND NOT (state = 'executing'
  AND CASE json_valid(attempted_by) WHEN 1 THEN json_extract(attempted_by, '$[2]') IS ?2 ELSE 0 END)
