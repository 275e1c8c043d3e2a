INSERT INTO treadle_owners (owner, boot, lease, beat) VALUES (?, ?, ?, ?)
ON CONFLICT (owner) DO UPDATE SET boot = excluded.boot, lease = excluded.lease, beat = excluded.beat
