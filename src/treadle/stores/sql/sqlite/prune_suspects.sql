DELETE FROM treadle_suspects WHERE NOT EXISTS (
  SELECT 1 FROM oban_jobs j WHERE j.id = job_id AND +j.state IN ('suspended', 'executing', 'scheduled'))
