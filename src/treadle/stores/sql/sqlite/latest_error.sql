-- An element is an object, or a text that holds one, as Elixir's Lite engine writes it.
(SELECT CASE CASE json_valid(latest.item) WHEN 1 THEN json_type(latest.item) END
  WHEN 'object' THEN coalesce(json_extract(latest.item, '$.error'), '') ELSE latest.item END
FROM (SELECT CASE json_valid(j.errors) WHEN 1 THEN CASE json_type(j.errors)
  WHEN 'array' THEN json_extract(j.errors, '$[#-1]') END END AS item) latest)
