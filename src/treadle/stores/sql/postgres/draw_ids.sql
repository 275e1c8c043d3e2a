-- The sequence is looked up once, not for every id.
SELECT nextval((SELECT pg_get_serial_sequence('{schema}.oban_jobs', 'id'))::regclass) FROM generate_series(1, %(count)s)
