-- The opposite of what fences an owner.
SELECT o.owner, s.shown FROM treadle_owners o LEFT JOIN treadle_serving s ON s.owner = o.owner
WHERE o.fenced_at IS NULL AND o.boot = :boot AND o.beat <= :steady + 60 AND o.beat + o.lease >= :steady
ORDER BY o.owner
