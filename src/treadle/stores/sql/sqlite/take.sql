-- The plus signs keep the planner on the primary key: by state it would walk the whole backlog.
UPDATE oban_jobs SET state = 'executing', attempt = attempt + 1, attempted_at = ?, attempted_by = ?
WHERE id IN (SELECT value FROM json_each(?)) AND +state IN ('available', 'suspended')
