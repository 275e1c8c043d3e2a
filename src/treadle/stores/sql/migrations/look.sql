-- What stands in a schema: one row, whatever stands there.
WITH place AS (
  SELECT to_regnamespace(quote_ident(%(schema)s)) AS schema,
    to_regclass(format('%%I.oban_jobs', %(schema)s::text)) AS jobs,
    to_regclass(format('%%I.oban_producers', %(schema)s::text)) AS producers,
    to_regclass(format('%%I.treadle_owners', %(schema)s::text)) AS owners
)
SELECT
  schema IS NOT NULL AS schema_exists,
  jobs IS NOT NULL AS jobs_exist,
  obj_description(jobs, 'pg_class') AS marker,
  obj_description(owners, 'pg_class') AS own_version,
  ARRAY(SELECT relname::text FROM pg_class WHERE relnamespace = schema AND relkind IN ('r', 'p', 'v', 'm', 'f')) AS tables,
  ARRAY(SELECT ARRAY[attname::text, format_type(atttypid, NULL)] FROM pg_attribute
    WHERE attrelid = jobs AND attnum > 0 AND NOT attisdropped) AS columns,
  ARRAY(SELECT attname::text FROM pg_attribute
    WHERE attrelid = producers AND attnum > 0 AND NOT attisdropped) AS producer_columns,
  ARRAY(SELECT enumlabel::text FROM pg_enum JOIN pg_attribute ON atttypid = enumtypid
    WHERE attrelid = jobs AND attname = 'state' ORDER BY enumsortorder) AS states,
  ARRAY(SELECT relname::text FROM pg_index JOIN pg_class ON oid = indexrelid
    WHERE indrelid = jobs AND indisvalid) AS indexes,
  ARRAY(SELECT split_part(unnest(reloptions), '=', 1) FROM pg_class WHERE oid = jobs) AS options,
  EXISTS (SELECT FROM pg_trigger WHERE tgrelid = jobs AND tgname = 'oban_notify') AS notifies
FROM place
