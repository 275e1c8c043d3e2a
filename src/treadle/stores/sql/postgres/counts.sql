SELECT queue, state::text, count(*) FROM {schema}.oban_jobs GROUP BY queue, state
