"""Runs a Network and counts what the chip would do."""
