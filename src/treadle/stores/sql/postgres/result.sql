-- Of a job that another program ran, the value stands in `meta` alone.
SELECT state, errors, value, term FROM (
  SELECT j.state::text, convert_to(to_json(j.errors)::text, 'UTF8') AS errors, r.value,
    CASE WHEN r.value IS NULL AND j.meta->'recorded' = 'true' THEN j.meta->>'return' END AS term
  FROM {schema}.oban_jobs j LEFT JOIN {schema}.treadle_results r ON r.job_id = j.id WHERE j.id = %(id)s
  UNION ALL
  SELECT 'completed', NULL, value, NULL FROM {schema}.treadle_results WHERE job_id = %(id)s
) AS ended LIMIT 1
