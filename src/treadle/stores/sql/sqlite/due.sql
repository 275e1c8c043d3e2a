-- Instants are compared as text, the form that Oban writes. "2026-11-22 08:00:00" sorts before any 'T' of its day: convert it.
-- Without statistics the planner prefers Oban's index, and reads and sorts every job that waits for its time.
SELECT id FROM oban_jobs INDEXED BY treadle_jobs_due WHERE state IN ('scheduled', 'retryable') AND scheduled_at <= :now
  AND (substr(scheduled_at, 11, 1) = 'T' OR strftime('%Y-%m-%dT%H:%M:%fZ', scheduled_at) <= :now)
ORDER BY scheduled_at, id LIMIT :limit
