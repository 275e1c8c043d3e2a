SELECT j.id FROM {schema}.oban_jobs j
WHERE (%(ids)s::bigint[] IS NULL OR j.id = ANY (%(ids)s::bigint[])) AND (%(state)s::text IS NULL OR j.state::text = %(state)s)
  AND (%(queue)s::text IS NULL OR j.queue = %(queue)s) AND (%(name)s::text IS NULL OR j.worker = %(name)s)
ORDER BY j.id
