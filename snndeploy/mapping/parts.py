"""Parts: all the boxes of one population on one core, and what the core needs for them.

A part of one box is the usual case.  A flat strip of neurons, as the simpler mappings cut them, is
a part of up to five boxes, and shares weight lists and axons among them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from snndeploy.connections import Connection, Range, Shape
from snndeploy.connections.encoding import Encoding
from snndeploy.layout.layout import Tile

Box = tuple[Range, Range, Range]  # channels, rows, columns


@dataclass(frozen=True)
class Part:
    """Disjoint boxes of one population on one core.

    encoding: of the weights into them, where a given map says so (`Tile.encoding`).
    """

    population: str
    core: int
    boxes: tuple[Box, ...]
    encoding: Encoding | None = None

    @cached_property
    def neurons(self) -> int:
        return sum(int(np.prod([stop - start for start, stop in box])) for box in self.boxes)

    @cached_property
    def channels(self) -> tuple[Range, ...]:
        """Disjoint channel ranges that hold some neuron."""
        return merged(box[0] for box in self.boxes)

    @cached_property
    def positions(self) -> int:
        """Positions of the plane that hold some neuron."""
        if len(self.boxes) == 1:
            _, rows, columns = self.boxes[0]
            return (rows[1] - rows[0]) * (columns[1] - columns[0])
        height, width = (max(box[axis][1] for box in self.boxes) for axis in (1, 2))
        held = np.zeros((height, width), dtype=bool)
        for _, rows, columns in self.boxes:
            held[slice(*rows), slice(*columns)] = True
        return int(held.sum())


def merged(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """The same numbers as disjoint ranges in order."""
    found: list[Range] = []
    for start, stop in sorted(ranges):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], stop))
        else:
            found.append((start, stop))
    return tuple(found)


def parts_of(tiles: Iterable[Tile]) -> tuple[Part, ...]:
    """The tiles by population and core, in the order of each one's first tile."""
    tiles = tuple(tiles)
    boxes: dict[tuple[str, int], list[Box]] = {}
    for tile in tiles:
        boxes.setdefault((tile.population, tile.core), []).append(
            (tile.channels, tile.rows, tile.columns)
        )
    said = {(tile.population, tile.core): tile.encoding for tile in tiles}
    return tuple(
        Part(name, core, tuple(found), said[name, core]) for (name, core), found in boxes.items()
    )


def fed_by_group(connection: Connection, part: Part) -> np.ndarray:
    """Target channels of a part that each group of source channels feeds, int64 (groups,)."""
    total: np.ndarray = np.sum([connection.group_reach(c) for c in part.channels], axis=0)
    return total


def reached_plane(connection: Connection, source: Shape, boxes: Iterable[Box]) -> np.ndarray:
    """Source positions that some box reads, bool (height, width)."""
    reached = np.zeros(source[1:], dtype=bool)
    for _, rows, columns in boxes:
        down, across = _reached(connection, source, rows, columns)
        reached |= np.outer(down, across)
    return reached


def _reached(
    connection: Connection, source: Shape, rows: Range, columns: Range
) -> tuple[np.ndarray, np.ndarray]:
    return (
        connection.axis_reach(source, 0, rows) > 0,
        connection.axis_reach(source, 1, columns) > 0,
    )


def reached_positions(connection: Connection, source: Shape, part: Part) -> int:
    """Source positions that a part reads."""
    boxes = [box for box in part.boxes if connection.group_reach(box[0]).any()]
    if len(boxes) == 1:
        _, rows, columns = boxes[0]
        down, across = _reached(connection, source, rows, columns)
        return int(np.count_nonzero(down)) * int(np.count_nonzero(across))
    return int(reached_plane(connection, source, boxes).sum())


def held_plane(shape: Shape, boxes: Iterable[Box]) -> np.ndarray:
    """Positions that hold some neuron of the boxes, bool (height, width)."""
    held = np.zeros(shape[1:], dtype=bool)
    for _, rows, columns in boxes:
        held[slice(*rows), slice(*columns)] = True
    return held


def count_plane(connection: Connection, source: Shape, parts: Sequence[Part]) -> np.ndarray:
    """Target parts that read each source position, int64 (height, width)."""
    single = [part.boxes[0] for part in parts if len(part.boxes) == 1]
    plane = np.zeros(source[1:], dtype=np.int64)
    if single:
        tables = [connection.axis_table(source, axis) for axis in (0, 1)]
        bounds = np.array([(rows, columns) for _, rows, columns in single])  # (boxes, axis, 2)
        reached = [
            (table[bounds[:, axis, 1]] > table[bounds[:, axis, 0]]).astype(np.float64)
            for axis, table in enumerate(tables)
        ]
        plane += np.rint(reached[0].T @ reached[1]).astype(np.int64)
    for part in parts:
        if len(part.boxes) > 1:
            plane += reached_plane(connection, source, part.boxes)
    return plane
