EXISTS (SELECT FROM unnest(j.tags) AS tag WHERE {test})
