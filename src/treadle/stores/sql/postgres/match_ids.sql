SELECT j.id FROM {schema}.oban_jobs j
WHERE j.id = ANY (%(ids)s::bigint[]) AND j.state::text = ANY (%(states)s::text[]) AND {where}
ORDER BY j.id DESC LIMIT %(limit)s
