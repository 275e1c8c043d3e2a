SELECT j.id FROM json_each(:ids) given CROSS JOIN oban_jobs j ON j.id = given.value
WHERE (:state IS NULL OR j.state = :state) AND (:queue IS NULL OR j.queue = :queue) AND (:name IS NULL OR j.worker = :name)
