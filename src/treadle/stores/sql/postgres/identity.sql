-- What no other server, database or schema has, and every role may read, also through a pooler.
SELECT to_char(timezone('UTC', pg_postmaster_start_time()), 'YYYY-MM-DD HH24:MI:SS.US'),
  (SELECT oid::bigint FROM pg_database WHERE datname = current_database()),
  to_regclass('{schema}.oban_jobs')::oid::bigint
