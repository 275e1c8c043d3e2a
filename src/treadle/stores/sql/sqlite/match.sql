SELECT j.id FROM oban_jobs j NOT INDEXED
WHERE j.id >= :low AND j.id < :below AND j.state IN (SELECT value FROM json_each(:states)) AND {where}
ORDER BY j.id DESC LIMIT :limit
