INSERT INTO treadle_results (job_id, value, stored_at) VALUES (?, ?, ?)
ON CONFLICT (job_id) DO UPDATE SET value = excluded.value, stored_at = excluded.stored_at
