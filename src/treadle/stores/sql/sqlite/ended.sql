-- Nothing ends before it was due, so the index skips what was due after the cut. Ours is what a worker of ours held last,
-- and of what never ran, what stood in a queue that ours serve; the rest is left to the programs that it belongs to.
SELECT id FROM oban_jobs WHERE state = :state AND queue = :queue AND priority = :priority AND scheduled_at <= :cut
  AND {ended_at} <= :cut
  AND CASE json_valid(attempted_by) WHEN 1 THEN json_extract(attempted_by, '$[2]') IS NOT NULL
    OR json_array_length(attempted_by) = 0 AND :served ELSE 0 END
ORDER BY scheduled_at, id LIMIT :limit
