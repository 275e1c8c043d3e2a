-- Who listens is told on a channel of our own, beside those of Oban.
WITH forgotten AS (DELETE FROM {schema}.treadle_orders WHERE told_at < timezone('UTC', now()) - interval '10 minutes'),
given AS (
  INSERT INTO {schema}.treadle_orders (told)
  SELECT told FROM unnest(%(orders)s::text[]) WITH ORDINALITY AS given (told, number) ORDER BY number
)
SELECT pg_notify(left('{channel}', -6) || 'orders', '{}')
