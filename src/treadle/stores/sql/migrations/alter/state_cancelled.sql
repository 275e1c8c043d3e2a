ALTER TYPE :"schema".oban_job_state ADD VALUE IF NOT EXISTS 'cancelled'
