SELECT j.id, j.state::text, j.queue, j.worker, convert_to(j.args::text, 'UTF8'), convert_to(j.meta::text, 'UTF8'),
  convert_to(to_json(j.tags)::text, 'UTF8'), convert_to(to_json(j.errors)::text, 'UTF8'), j.attempt, j.max_attempts,
  j.priority, to_json(j.inserted_at)#>>'{}', to_json(j.scheduled_at)#>>'{}', to_json(j.attempted_at)#>>'{}',
  convert_to(to_json(j.attempted_by)::text, 'UTF8'), to_json(j.cancelled_at)#>>'{}', to_json(j.completed_at)#>>'{}',
  to_json(j.discarded_at)#>>'{}'
FROM {schema}.oban_jobs j
WHERE j.id = ANY (%(ids)s::bigint[])
ORDER BY j.id DESC
