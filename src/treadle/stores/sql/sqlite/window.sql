SELECT min(id), count(*) FROM (SELECT id FROM oban_jobs WHERE id < :below ORDER BY id DESC LIMIT :size)
