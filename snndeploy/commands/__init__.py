"""The command line, thin over the functions that a notebook calls."""
