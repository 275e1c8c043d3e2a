CROSS JOIN json_each(CASE WHEN {outer}.type IN ('object', 'array') THEN {outer}.value ELSE 'null' END) {inner}
