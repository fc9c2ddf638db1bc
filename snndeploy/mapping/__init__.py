"""From a Network to a Layout: which core computes which neurons, and where it lies."""

from snndeploy.mapping.layout import Layout, Tile
from snndeploy.mapping.place import place

__all__ = ["Layout", "Tile", "place"]
