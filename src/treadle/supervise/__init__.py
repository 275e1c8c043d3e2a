"""Long-lived things: services that start and stop, what they repeat, and the clock they live by."""
