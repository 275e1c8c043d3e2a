ALTER TABLE :"schema".oban_jobs ADD COLUMN IF NOT EXISTS meta jsonb DEFAULT '{}'
