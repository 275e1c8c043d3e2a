DELETE FROM {schema}.treadle_crons WHERE name = %(name)s RETURNING name
