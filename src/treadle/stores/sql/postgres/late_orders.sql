SELECT id, told FROM {schema}.treadle_orders WHERE told_at > timezone('UTC', now()) - interval '10 seconds'
