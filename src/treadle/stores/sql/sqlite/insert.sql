INSERT INTO oban_jobs (state, queue, worker, args, max_attempts, inserted_at, scheduled_at, priority, tags, meta)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
