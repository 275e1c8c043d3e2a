SELECT
  (SELECT count(*) FROM oban_jobs WHERE state = 'available' AND queue IN (
    SELECT value FROM json_each(:queues) EXCEPT SELECT queue FROM treadle_queues)),
  (SELECT json_group_object(owner, seen) FROM (
    SELECT json_extract(j.attempted_by, '$[0]') AS owner, max(coalesce(o.beat, 0)) AS seen
    FROM oban_jobs j LEFT JOIN treadle_owners o ON o.owner = json_extract(j.attempted_by, '$[0]')
    WHERE j.state = 'executing'
      AND CASE json_valid(j.attempted_by) WHEN 1 THEN json_extract(j.attempted_by, '$[2]') IS NOT NULL ELSE 0 END
    GROUP BY 1))
