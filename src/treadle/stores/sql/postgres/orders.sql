SELECT id, told FROM {schema}.treadle_orders WHERE id > %(since)s ORDER BY id
