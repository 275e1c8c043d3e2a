SELECT j.id, j.state, CAST(j.queue AS BLOB), CAST(j.worker AS BLOB), CAST(j.args AS BLOB), CAST(j.meta AS BLOB),
  CAST(j.tags AS BLOB), CAST(j.errors AS BLOB), j.attempt, j.max_attempts, j.priority, j.inserted_at, j.scheduled_at,
  j.attempted_at, CAST(j.attempted_by AS BLOB), j.cancelled_at, j.completed_at, j.discarded_at
FROM json_each(:ids) given CROSS JOIN oban_jobs j ON j.id = given.value
ORDER BY j.id DESC
