-- A claim, if it is held: the row is locked, so that a transaction which may have settled it has ended.
SELECT id FROM {schema}.oban_jobs
WHERE id = %(id)s AND (state = 'executing') IS TRUE AND attempted_by[3] = %(claim)s FOR UPDATE
