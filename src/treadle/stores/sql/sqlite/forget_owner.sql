-- A tombstone stays: who was fenced is refused even after it left.
DELETE FROM treadle_owners WHERE owner = ? AND fenced_at IS NULL
