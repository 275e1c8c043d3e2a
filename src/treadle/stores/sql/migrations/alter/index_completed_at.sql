CREATE INDEX CONCURRENTLY IF NOT EXISTS oban_jobs_completed_at_index
  ON :"schema".oban_jobs (completed_at) WHERE state = 'completed'
