"""What others may listen to, and wrap around."""
