"""What every node does for the store now and then; each service is safe to run on any number of nodes at once."""
