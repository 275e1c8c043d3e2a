EXISTS (SELECT 1 FROM json_each(CASE json_valid({column}) WHEN 1 THEN {column} ELSE 'null' END) p0{steps}
  WHERE {keys} AND {test})
