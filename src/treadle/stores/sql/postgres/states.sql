SELECT enum_range(NULL::{schema}.oban_job_state)::text[]
