-- Whether these jobs ran nobody knows, and a second time they must not. Their claims are taken off: what their owner
-- may still send is told that they are gone.
UPDATE oban_jobs SET state = 'discarded', discarded_at = :now, attempted_by = json_remove(attempted_by, '$[2]'),
  errors = json_insert(
    CASE json_valid(errors) WHEN 1 THEN CASE json_type(errors) WHEN 'array' THEN errors ELSE '[]' END ELSE '[]' END,
    '$[#]', json_object('at', :now, 'attempt', attempt, 'error', :error))
WHERE id IN (SELECT value FROM json_each(:ids)) AND +state = 'executing'
  AND CASE json_valid(meta) WHEN 1 THEN json_extract(meta, '$.treadle_rerun') = 0 ELSE 0 END
  AND id NOT IN (SELECT job_id FROM treadle_cancels WHERE claim = json_extract(attempted_by, '$[2]'))
RETURNING id
