DELETE FROM {schema}.oban_producers
WHERE uuid = ANY (%(producers)s::uuid[]) AND updated_at < timezone('UTC', now()) - interval '1 minute'
