SELECT j.id, j.worker, j.queue,
  CASE WHEN j.id || '/' || j.attempted_by[3] = ANY (%(known)s::text[]) THEN NULL ELSE convert_to(j.args::text, 'UTF8') END,
  j.attempt, j.max_attempts, coalesce(s.deaths, 0),
  CASE WHEN isfinite(j.scheduled_at) THEN extract(epoch FROM j.attempted_at - j.scheduled_at)::double precision
    ELSE 0 END,
  nullif(j.tags, '{}'), nullif(j.meta, '{}')::text, j.attempted_by[3], c.job_id IS NOT NULL
FROM {schema}.oban_jobs j
LEFT JOIN {schema}.treadle_suspects s ON s.job_id = j.id
LEFT JOIN {schema}.treadle_cancels c ON c.job_id = j.id AND c.claim = j.attempted_by[3]
WHERE j.state = 'executing' AND j.attempted_by[1] = %(owner)s AND j.attempted_by[3] IS NOT NULL
ORDER BY j.attempted_at, j.id
