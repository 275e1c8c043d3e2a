SELECT id FROM {schema}.oban_jobs
WHERE state = ANY (%(states)s::{schema}.oban_job_state[]) AND queue = ANY (%(queues)s::text[]) LIMIT %(most)s
