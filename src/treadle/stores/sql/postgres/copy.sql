-- Jobs that wait for nothing: their state and their times are the table's own defaults.
COPY {schema}.oban_jobs (id, queue, worker, args, max_attempts, priority, tags, meta) FROM STDIN
