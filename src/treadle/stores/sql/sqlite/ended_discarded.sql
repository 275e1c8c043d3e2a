-- Nothing ends before it was due, so the index skips what was due after the cut.
SELECT id FROM oban_jobs WHERE state = :state AND queue = :queue AND priority = :priority AND scheduled_at <= :cut
  AND discarded_at <= :cut ORDER BY scheduled_at, id LIMIT :limit
