SELECT j.id FROM oban_jobs j
WHERE (:state IS NULL OR j.state = :state) AND (:queue IS NULL OR j.queue = :queue) AND (:name IS NULL OR j.worker = :name)
