COMMENT ON TABLE :"schema".oban_jobs IS '14'
