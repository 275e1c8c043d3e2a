CREATE INDEX CONCURRENTLY IF NOT EXISTS oban_jobs_meta_index ON :"schema".oban_jobs USING gin (meta)
