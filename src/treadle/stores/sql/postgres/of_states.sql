SELECT id FROM {schema}.oban_jobs WHERE state = ANY (%(states)s::{schema}.oban_job_state[]) LIMIT %(most)s
