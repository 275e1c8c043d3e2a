SELECT coalesce(max(id), 0) FROM {schema}.treadle_orders
