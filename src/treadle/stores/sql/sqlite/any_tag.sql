EXISTS (SELECT 1 FROM json_each(CASE json_valid(j.tags) WHEN 1 THEN CASE json_type(j.tags) WHEN 'array' THEN j.tags END END) tag
  WHERE {test})
