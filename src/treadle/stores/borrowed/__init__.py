"""Connections that users lend, with the transaction that is open on them, so that a job stands or falls with it."""
