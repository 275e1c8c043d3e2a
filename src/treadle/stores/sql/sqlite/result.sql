SELECT state, errors, value FROM (
  SELECT j.state, CAST(j.errors AS BLOB) AS errors, r.value FROM oban_jobs j
    LEFT JOIN treadle_results r ON r.job_id = j.id WHERE j.id = ?1
  UNION ALL
  SELECT 'completed', NULL, value FROM treadle_results WHERE job_id = ?1
) LIMIT 1
