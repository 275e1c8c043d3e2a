-- `attempted_by` ends in the claim: a job that was rescued, or claimed again, matches no more.
UPDATE oban_jobs SET state = 'completed', completed_at = ? WHERE id = ? AND +state = 'executing' AND attempted_by = ?
