CREATE INDEX CONCURRENTLY IF NOT EXISTS oban_jobs_args_index ON :"schema".oban_jobs USING gin (args)
