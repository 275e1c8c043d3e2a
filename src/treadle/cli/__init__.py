"""The command line: what `treadle` in a shell does."""
