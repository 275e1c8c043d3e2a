-- Of living owners, however seldom they report.
UPDATE {schema}.oban_producers p SET updated_at = timezone('UTC', now()) FROM {schema}.treadle_owners o
WHERE p.node = o.owner AND o.fenced_at IS NULL AND greatest(o.beat, timezone('UTC', pg_postmaster_start_time()))
  + make_interval(secs => o.lease) >= timezone('UTC', now())
