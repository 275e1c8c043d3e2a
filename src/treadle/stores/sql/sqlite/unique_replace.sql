-- What is NULL stays. One attempt more than were used is always left: else the job would be poison.
UPDATE oban_jobs SET args = coalesce(:args, args), max_attempts = max(coalesce(:max_attempts, max_attempts), attempt + 1),
  meta = coalesce(:meta, meta), priority = coalesce(:priority, priority), queue = coalesce(:queue, queue),
  tags = coalesce(:tags, tags), scheduled_at = coalesce(:scheduled_at, scheduled_at),
  state = CASE WHEN :scheduled_at IS NULL THEN state WHEN :due THEN 'available' WHEN state = 'retryable' THEN state
    ELSE 'scheduled' END
WHERE id = :id AND +state = :state
