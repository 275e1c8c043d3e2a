INSERT INTO {schema}.treadle_owners AS o (owner, lease, beat) VALUES (%(owner)s, %(lease)s, timezone('UTC', now()))
ON CONFLICT (owner) DO UPDATE SET lease = excluded.lease, beat = excluded.beat, boot = excluded.boot WHERE o.fenced_at IS NULL
RETURNING owner
