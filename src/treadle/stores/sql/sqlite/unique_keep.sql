INSERT INTO treadle_unique (job_id, key) VALUES (?, ?)
