WITH given AS (
  SELECT * FROM unnest(%(owners)s::text[], %(leases)s::double precision[]) AS g(owner, lease)
),
renewed AS (
  UPDATE {schema}.treadle_owners o SET beat = timezone('UTC', now()), lease = g.lease,
    boot = timezone('UTC', pg_postmaster_start_time())
  FROM given g WHERE o.owner = g.owner AND o.fenced_at IS NULL
  RETURNING o.owner
)
SELECT g.owner, CASE WHEN r.owner IS NOT NULL THEN 'alive' WHEN o.owner IS NOT NULL THEN 'fenced' ELSE 'unknown' END
FROM given g LEFT JOIN renewed r USING (owner) LEFT JOIN {schema}.treadle_owners o USING (owner)
