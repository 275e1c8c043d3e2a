-- Only rows with a third element are ours; those of foreign programs are judged by their own rules.
SELECT j.id FROM oban_jobs j WHERE j.state = 'executing'
  AND CASE json_valid(j.attempted_by) WHEN 1 THEN json_extract(j.attempted_by, '$[2]') IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM treadle_owners o
      WHERE o.owner = json_extract(j.attempted_by, '$[0]') AND o.fenced_at IS NULL) ELSE 0 END
ORDER BY j.priority, j.scheduled_at, j.id LIMIT ?
