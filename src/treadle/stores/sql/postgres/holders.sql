SELECT j.attempted_by[1], extract(epoch FROM coalesce(max(o.beat), 'epoch'))::double precision
FROM {schema}.oban_jobs j LEFT JOIN {schema}.treadle_owners o ON o.owner = j.attempted_by[1]
WHERE j.state = 'executing' AND j.attempted_by[3] IS NOT NULL
GROUP BY 1
