-- A tombstone stays: who was fenced is refused even after it left.
WITH forgotten AS (DELETE FROM {schema}.treadle_owners WHERE owner = %(owner)s AND fenced_at IS NULL)
DELETE FROM {schema}.treadle_serving WHERE owner = %(owner)s
