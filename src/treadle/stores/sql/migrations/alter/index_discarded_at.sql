CREATE INDEX CONCURRENTLY IF NOT EXISTS oban_jobs_discarded_at_index
  ON :"schema".oban_jobs (discarded_at) WHERE state = 'discarded'
