SELECT j.id FROM {schema}.oban_jobs j
WHERE j.id >= %(low)s AND j.id < %(below)s AND j.state::text = ANY (%(states)s::text[]) AND {where}
ORDER BY j.id DESC LIMIT %(limit)s
