"""NIR: the float model of a program as a graph of its primitives."""
