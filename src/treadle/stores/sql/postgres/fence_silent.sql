-- While the server was down nobody could beat: every lease begins anew when it has started.
UPDATE {schema}.treadle_owners SET fenced_at = timezone('UTC', now())
WHERE fenced_at IS NULL AND greatest(beat, timezone('UTC', pg_postmaster_start_time())) + make_interval(secs => lease)
  < timezone('UTC', now())
RETURNING owner
