CASE json_valid(j.attempted_by) WHEN 1 THEN CAST(json_extract(j.attempted_by, '$[0]') AS TEXT) END
