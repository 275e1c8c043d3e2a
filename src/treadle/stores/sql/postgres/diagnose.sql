SELECT current_setting('server_version_num')::integer, current_setting('server_version'), current_setting('fsync'),
  current_setting('full_page_writes'), current_setting('synchronous_commit'), current_setting('server_encoding'),
  extract(epoch FROM clock_timestamp())::double precision,
  (SELECT coalesce(max(age(backend_xmin)), 0) FROM pg_stat_activity WHERE backend_xmin IS NOT NULL),
  (SELECT coalesce(extract(epoch FROM max(now() - xact_start)), 0)::double precision FROM pg_stat_activity
    WHERE backend_xmin IS NOT NULL AND datname = current_database())
