-- The version of treadle's own tables in the schema that the search path names; 0 where there are none.
SELECT coalesce(obj_description(to_regclass(format('%I.treadle_owners', current_schema())), 'pg_class'), '0')::integer
