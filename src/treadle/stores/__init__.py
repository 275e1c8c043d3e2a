"""Everything that knows where a job is kept."""
