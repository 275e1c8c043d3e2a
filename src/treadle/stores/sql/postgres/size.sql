-- How much there is to read for who counts every row; what is kept beside the table for long values is not.
SELECT pg_relation_size('{schema}.oban_jobs')
