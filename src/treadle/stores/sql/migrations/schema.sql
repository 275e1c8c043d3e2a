-- `CREATE SCHEMA IF NOT EXISTS` asks for the right to make one even where there is nothing to do.
DO $treadle$
BEGIN
  IF to_regnamespace(quote_ident(:'schema')) IS NULL THEN
    EXECUTE format('CREATE SCHEMA %I', :'schema');
  END IF;
END
$treadle$
