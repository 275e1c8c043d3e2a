DELETE FROM treadle_serving WHERE NOT EXISTS (SELECT 1 FROM treadle_owners o WHERE o.owner = treadle_serving.owner)
