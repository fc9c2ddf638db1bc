"""Arrangements: where on the mesh every core lies, before anything is known of the traffic.

A board is about as wide as high in routers, inside the target's grid of chips.
"""

from __future__ import annotations

import math

import numpy as np

from snndeploy.target import Target

Board = tuple[int, int]


def board_of(cores: int, target: Target) -> Board:
    """Chips wide and chips high that hold so many cores."""
    chips = max(1, -(-cores // target.cores_per_chip))
    square = math.sqrt(chips * target.mesh_height / target.mesh_width)
    width = min(max(1, round(square)), target.chip_grid_width, chips)
    while -(-chips // width) > target.chip_grid_height:
        width += 1
    return width, -(-chips // width)


def snake(cores: int, target: Target) -> tuple[Board, np.ndarray]:
    """The board and every core's position, int32 (cores, 3): neighbours in number are neighbours.

    Rows of chips are walked back and forth, and so are the columns of routers in a row of chips.
    """
    width, height = board_of(cores, target)
    chip, router, slot = _numbers(cores, target)
    chip_row, step = chip // width, chip % width
    along = step * target.mesh_width + router // target.mesh_height  # columns walked in this row
    down = router % target.mesh_height
    y = np.where(along % 2 == 1, target.mesh_height - 1 - down, down)
    x = np.where(chip_row % 2 == 1, width * target.mesh_width - 1 - along, along)
    positions = np.stack([x, chip_row * target.mesh_height + y, slot], axis=1)
    return (width, height), positions.astype(np.int32)


def row_major(cores: int, target: Target) -> tuple[Board, np.ndarray]:
    """The board and every core's position: chip by chip, and row by row through a chip."""
    width, height = board_of(cores, target)
    chip, router, slot = _numbers(cores, target)
    x = chip % width * target.mesh_width + router % target.mesh_width
    y = chip // width * target.mesh_height + router // target.mesh_width
    return (width, height), np.stack([x, y, slot], axis=1).astype(np.int32)


def _numbers(cores: int, target: Target) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Chip, router of the chip and slot of every core: slots fill first, then routers, chips."""
    chip, within = np.divmod(np.arange(cores), target.cores_per_chip)
    router, slot = np.divmod(within, target.cores_per_tile)
    return chip, router, slot
