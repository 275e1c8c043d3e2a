SELECT coalesce(min(id), 0), count(*)
FROM (SELECT id FROM {schema}.oban_jobs WHERE id < %(below)s ORDER BY id DESC LIMIT %(size)s) AS rows
