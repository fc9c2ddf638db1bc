"""SANA-FE's files, written."""
