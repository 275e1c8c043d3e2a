CREATE UNLOGGED TABLE IF NOT EXISTS :"schema".oban_producers (
  uuid uuid PRIMARY KEY,
  name text NOT NULL DEFAULT 'oban',
  node text NOT NULL,
  queue text NOT NULL,
  meta jsonb NOT NULL DEFAULT '{}',
  started_at timestamp NOT NULL DEFAULT timezone('UTC', now()),
  updated_at timestamp NOT NULL DEFAULT timezone('UTC', now())
)
