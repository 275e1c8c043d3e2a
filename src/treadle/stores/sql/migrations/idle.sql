-- Nobody's claims may hang on tables that go.
DO $treadle$
DECLARE
  living text;
BEGIN
  IF to_regclass(format('%I.treadle_owners', current_schema())) IS NOT NULL THEN
    SELECT string_agg(owner, ', ') INTO living FROM treadle_owners
    WHERE fenced_at IS NULL AND beat > timezone('UTC', now()) - lease * interval '1 second';
    IF living IS NOT NULL THEN
      RAISE object_in_use USING MESSAGE = format('expected no live worker on treadle''s tables, got %s: stop it', living);
    END IF;
  END IF;
END
$treadle$
