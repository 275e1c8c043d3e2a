UPDATE {schema}.oban_jobs j SET state = 'discarded', discarded_at = timezone('UTC', now()),
  attempt = greatest(j.attempt - 1, 0),
  errors = j.errors || jsonb_build_object(
    'at', to_char(timezone('UTC', now()), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'attempt', greatest(j.attempt - 1, 0),
    'error', g.reason)
FROM unnest(%(ids)s::bigint[], %(reasons)s::text[]) AS g(id, reason)
WHERE j.id = g.id AND (j.state = 'executing') IS TRUE AND j.attempted_by[3] = %(claim)s
