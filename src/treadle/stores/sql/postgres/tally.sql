SELECT j.state::text, count(*) FROM {schema}.oban_jobs j
WHERE j.id >= %(low)s AND j.id < %(below)s AND j.state::text = ANY (%(states)s::text[]) AND {where}
GROUP BY j.state
