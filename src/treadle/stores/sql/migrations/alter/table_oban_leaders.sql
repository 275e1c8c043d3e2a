CREATE UNLOGGED TABLE IF NOT EXISTS :"schema".oban_leaders (
  name text PRIMARY KEY DEFAULT 'oban',
  node text NOT NULL,
  elected_at timestamp NOT NULL,
  expires_at timestamp NOT NULL
)
