CREATE INDEX CONCURRENTLY IF NOT EXISTS oban_jobs_cancelled_at_index
  ON :"schema".oban_jobs (cancelled_at) WHERE state = 'cancelled'
