-- Living is who would not be fenced. Rows that somebody has locked are stamped the next time.
WITH old AS MATERIALIZED (
  SELECT j.id FROM {schema}.oban_jobs j JOIN {schema}.treadle_owners o ON o.owner = j.attempted_by[1]
  WHERE j.state = 'executing' AND j.attempted_by[3] IS NOT NULL
    AND NOT j.attempted_at BETWEEN timezone('UTC', now()) - make_interval(secs => %(age)s) AND timezone('UTC', now())
    AND o.fenced_at IS NULL AND (o.beat + make_interval(secs => o.lease) >= timezone('UTC', now())
      OR o.boot <> timezone('UTC', pg_postmaster_start_time())
        AND timezone('UTC', pg_postmaster_start_time()) + make_interval(secs => o.lease) >= timezone('UTC', now()))
  ORDER BY j.id FOR UPDATE OF j SKIP LOCKED
),
stamped AS (
  UPDATE {schema}.oban_jobs j SET attempted_at = timezone('UTC', now()) FROM old WHERE j.id = old.id RETURNING 1
)
SELECT count(*) FROM stamped
