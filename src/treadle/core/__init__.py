"""The rules of a job's life, pure: no I/O, no clock, no threads, no randomness."""
