"""lava-dl's .net files, read."""
