SELECT current_setting('server_version_num')::integer, current_setting('server_version'), current_setting('fsync'),
  current_setting('full_page_writes'), current_setting('synchronous_commit'), current_setting('server_encoding'),
  extract(epoch FROM clock_timestamp())::double precision,
  (SELECT coalesce(max(age(held.xmin)), 0) FROM (
    SELECT backend_xmin FROM pg_stat_activity WHERE datname = current_database()
    UNION ALL SELECT backend_xmin FROM pg_stat_replication
    UNION ALL SELECT xmin FROM pg_replication_slots
    UNION ALL SELECT transaction FROM pg_prepared_xacts WHERE database = current_database()) AS held(xmin)),
  (SELECT coalesce(extract(epoch FROM max(now() - held.since)), 0)::double precision FROM (
    SELECT xact_start FROM pg_stat_activity WHERE backend_xmin IS NOT NULL AND datname = current_database()
    UNION ALL SELECT prepared FROM pg_prepared_xacts WHERE database = current_database()) AS held(since))
