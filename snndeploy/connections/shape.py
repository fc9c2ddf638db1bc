"""The shape of a population: (channels, height, width)."""

Shape = tuple[int, int, int]
