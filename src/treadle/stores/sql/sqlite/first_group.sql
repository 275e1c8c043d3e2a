SELECT queue, priority FROM oban_jobs WHERE state = ? ORDER BY queue, priority LIMIT 1
