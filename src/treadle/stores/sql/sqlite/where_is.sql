SELECT state, CAST(attempted_by AS TEXT) FROM oban_jobs WHERE id = ?
