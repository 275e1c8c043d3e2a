-- Those of jobs that another program deleted, from the oldest on; until then they count for nothing.
DELETE FROM treadle_unique WHERE job_id < coalesce((SELECT min(id) FROM oban_jobs), 9223372036854775807)
