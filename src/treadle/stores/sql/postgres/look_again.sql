SELECT g.id, g.claim, EXISTS (SELECT 1 FROM {schema}.treadle_settled m WHERE m.job_id = g.id AND m.claim = g.claim),
  j.state::text, coalesce(j.attempted_by[3] = g.claim, false)
FROM unnest(%(ids)s::bigint[], %(claims)s::text[]) AS g(id, claim) LEFT JOIN {schema}.oban_jobs j ON j.id = g.id
