INSERT OR IGNORE INTO treadle_settled (job_id, claim, settled_at) VALUES (?, ?, ?)
