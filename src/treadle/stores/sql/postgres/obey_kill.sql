-- A peer wants a running job to end; who runs it is told if it is one of ours. A row that the peer cancelled is seen so.
INSERT INTO {schema}.treadle_cancels (job_id, claim)
SELECT j.id, j.attempted_by[3] FROM {schema}.oban_jobs j JOIN {schema}.treadle_owners o ON o.owner = j.attempted_by[1]
WHERE j.id = %(id)s AND j.state = 'executing' AND j.attempted_by[3] IS NOT NULL AND o.fenced_at IS NULL
ON CONFLICT (job_id, claim) DO NOTHING
