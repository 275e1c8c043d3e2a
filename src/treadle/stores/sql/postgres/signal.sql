-- The channel of inserts, but for its last word.
SELECT pg_notify(left('{channel}', -6) || 'signal', %(message)s)
