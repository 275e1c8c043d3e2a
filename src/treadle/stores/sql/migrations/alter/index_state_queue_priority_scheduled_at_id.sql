CREATE INDEX CONCURRENTLY IF NOT EXISTS oban_jobs_state_queue_priority_scheduled_at_id_index
  ON :"schema".oban_jobs (state, queue, priority, scheduled_at, id) WITH (fillfactor = 90)
