"""NIR's .nir files, read: primitives in continuous time become a graph of Euler steps."""
