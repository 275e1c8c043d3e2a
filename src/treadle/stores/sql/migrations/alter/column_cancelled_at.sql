ALTER TABLE :"schema".oban_jobs ADD COLUMN IF NOT EXISTS cancelled_at timestamp
