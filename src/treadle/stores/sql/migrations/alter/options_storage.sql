ALTER TABLE :"schema".oban_jobs SET (
  fillfactor = 85,
  autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 50,
  autovacuum_analyze_scale_factor = 0.02, autovacuum_analyze_threshold = 100,
  autovacuum_vacuum_cost_limit = 2000, autovacuum_vacuum_cost_delay = 1,
  autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_vacuum_insert_threshold = 1000
)
