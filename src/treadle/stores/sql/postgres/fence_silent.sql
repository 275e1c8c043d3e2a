-- While the server was down nobody could beat: a lease of before begins anew when it has started.
UPDATE {schema}.treadle_owners SET fenced_at = timezone('UTC', now())
WHERE fenced_at IS NULL AND beat + make_interval(secs => lease) < timezone('UTC', now())
  AND (boot = timezone('UTC', pg_postmaster_start_time())
    OR timezone('UTC', pg_postmaster_start_time()) + make_interval(secs => lease) < timezone('UTC', now()))
RETURNING owner
