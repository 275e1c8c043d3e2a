SELECT id FROM oban_jobs
WHERE state IN (SELECT value FROM json_each(:states)) AND queue IN (SELECT value FROM json_each(:queues)) LIMIT :most
