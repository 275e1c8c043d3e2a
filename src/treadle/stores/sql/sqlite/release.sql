-- :due is NULL for at once. `scheduled_at` stays then: it is the job's place in its queue.
UPDATE oban_jobs SET attempt = max(attempt - 1, 0), scheduled_at = coalesce(:due, scheduled_at), state = CASE
  WHEN :due IS NOT NULL THEN 'scheduled'
  WHEN id IN (SELECT job_id FROM treadle_suspects) THEN 'suspended'
  ELSE 'available' END
WHERE id = :id AND +state = 'executing' AND attempted_by = :held
