UPDATE treadle_owners SET boot = ?, lease = ?, beat = ? WHERE owner = ? AND fenced_at IS NULL
