-- `errors` is jsonb[], or a list in one jsonb.
(SELECT CASE jsonb_typeof(latest.item) WHEN 'object' THEN coalesce(latest.item->>'error', '')
  ELSE latest.item #>> ARRAY[]::text[] END
FROM (SELECT to_jsonb(j.errors)->-1 AS item) AS latest)
