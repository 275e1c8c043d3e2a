CREATE INDEX CONCURRENTLY IF NOT EXISTS oban_jobs_staging_index
  ON :"schema".oban_jobs (scheduled_at, id) INCLUDE (queue) WHERE state IN ('scheduled', 'retryable')
