INSERT INTO treadle_done (slot, queue, number) VALUES (?, ?, ?)
ON CONFLICT (slot, queue) DO UPDATE SET number = number + excluded.number
