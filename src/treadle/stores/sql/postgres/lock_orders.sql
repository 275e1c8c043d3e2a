-- Until the end of the transaction: who reads on from an id must not miss a lower one that is committed later.
SELECT pg_advisory_xact_lock(hashtextextended('{channel}', 0))
