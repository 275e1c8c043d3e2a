-- The opposite of what fences an owner.
SELECT o.owner, s.shown
FROM {schema}.treadle_owners o LEFT JOIN {schema}.treadle_serving s USING (owner)
WHERE o.fenced_at IS NULL AND (o.beat + make_interval(secs => o.lease) >= timezone('UTC', now())
  OR o.boot <> timezone('UTC', pg_postmaster_start_time())
    AND timezone('UTC', pg_postmaster_start_time()) + make_interval(secs => o.lease) >= timezone('UTC', now()))
ORDER BY o.owner
