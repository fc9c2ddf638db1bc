"""From a Network to a Layout: which core computes which neurons, and where it lies."""

from snndeploy.layout.layout import Layout, Tile
from snndeploy.mapping.given import given_layout
from snndeploy.mapping.map_file import map_text
from snndeploy.mapping.place import MODES, OBJECTIVES, Mode, Objective, place

__all__ = [
    "MODES",
    "OBJECTIVES",
    "Layout",
    "Mode",
    "Objective",
    "Tile",
    "given_layout",
    "map_text",
    "place",
]
