"""Reading defensively and writing whole files or none."""
