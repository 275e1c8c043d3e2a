SELECT (SELECT count(*) FROM (
    SELECT 1 FROM oban_jobs WHERE state = 'available' AND queue = :queue AND priority = :priority LIMIT :limit)),
  (SELECT scheduled_at FROM oban_jobs WHERE state = 'available' AND queue = :queue AND priority = :priority
    ORDER BY scheduled_at LIMIT 1)
