SELECT id, told FROM treadle_orders WHERE id > ? ORDER BY id
