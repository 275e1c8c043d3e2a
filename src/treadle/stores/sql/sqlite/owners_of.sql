SELECT DISTINCT json_extract(attempted_by, '$[0]') FROM oban_jobs
WHERE id IN (SELECT value FROM json_each(:ids)) AND +state = 'executing'
