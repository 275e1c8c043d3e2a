SELECT coalesce(max(id), 0) FROM treadle_orders
