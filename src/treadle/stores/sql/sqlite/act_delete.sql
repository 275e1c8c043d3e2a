DELETE FROM oban_jobs
WHERE id IN (SELECT value FROM json_each(:ids)) AND +state <> 'executing'
  AND (+state <> 'suspended' OR id IN (SELECT job_id FROM treadle_suspects))
RETURNING id
