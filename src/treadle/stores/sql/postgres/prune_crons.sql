DELETE FROM {schema}.treadle_crons
WHERE seen_at < timezone('UTC', now()) - make_interval(secs => %(kept)s) AND NOT changed AND NOT paused
