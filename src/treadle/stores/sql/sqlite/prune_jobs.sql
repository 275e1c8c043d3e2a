DELETE FROM oban_jobs WHERE id IN (SELECT value FROM json_each(?)) AND +state IN ('completed', 'discarded', 'cancelled')
