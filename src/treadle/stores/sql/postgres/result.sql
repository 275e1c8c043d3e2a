SELECT state, errors, value FROM (
  SELECT j.state::text, convert_to(to_json(j.errors)::text, 'UTF8') AS errors, r.value
  FROM {schema}.oban_jobs j LEFT JOIN {schema}.treadle_results r ON r.job_id = j.id WHERE j.id = %(id)s
  UNION ALL
  SELECT 'completed', NULL, value FROM {schema}.treadle_results WHERE job_id = %(id)s
) AS ended LIMIT 1
