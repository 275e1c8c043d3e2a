INSERT INTO treadle_orders (told, told_at) VALUES (?, ?)
