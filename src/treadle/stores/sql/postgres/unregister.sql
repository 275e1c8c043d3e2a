DELETE FROM {schema}.oban_producers WHERE node = ANY (%(owners)s)
