SELECT fenced_at IS NOT NULL FROM treadle_owners WHERE owner = ?
