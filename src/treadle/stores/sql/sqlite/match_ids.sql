SELECT j.id FROM json_each(:ids) given CROSS JOIN oban_jobs j ON j.id = given.value
WHERE j.state IN (SELECT value FROM json_each(:states)) AND {where}
ORDER BY j.id DESC LIMIT :limit
