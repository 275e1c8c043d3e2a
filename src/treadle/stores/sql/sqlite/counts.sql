SELECT CAST(queue AS BLOB), state, count(*) FROM oban_jobs GROUP BY state, queue
