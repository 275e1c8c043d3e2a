SELECT queue, priority FROM oban_jobs WHERE state = ? AND (queue, priority) > (?, ?) ORDER BY queue, priority LIMIT 1
