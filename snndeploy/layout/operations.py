"""Operations: the synapses that a spike of each neuron triggers at each core, weight by weight.

The short vectors of `wiring` count every synapse.  A chip that skips weights of zero triggers a
number that depends on the kernel: a spike of channel c at (y, x) triggers at a box of targets

    sum over taps (i, j) that lead from (y, x) into the box of nonzero[c, i, j]

where nonzero counts the box's target channels with a weight there.  Positions whose taps lead into
the same boxes are of one *class*; then a row over the channels says all of a class and a core, and
no synapse is ever written out.

A core stores a projection's weights in one of three encodings (`connections.encoding`), and a
target may price each.  A tile may say another one: a given map knows what its compiler chose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse

from snndeploy.connections import Connection, Range
from snndeploy.connections.encoding import Encoding, encoding_of
from snndeploy.layout.alike import alike
from snndeploy.layout.layout import Layout, Tile
from snndeploy.network import Network, Population
from snndeploy.target import Target


@dataclass(frozen=True)
class Line:
    """Where operations fall: on a core, into a population, by the encoding of its weights."""

    core: int
    target: str
    encoding: Encoding


@dataclass(frozen=True, eq=False)
class Operations:
    """What one spike of each neuron of a population triggers.

    class_of: int32 (positions,).  first: int64 (classes + 1,), where the entries of each class
    begin.  line: int32 (entries,), into `lines`.  counted: int32 (entries, channels), operations
    that a spike of each channel triggers there.  reached: bool, whether it has a synapse there.
    """

    class_of: np.ndarray
    first: np.ndarray
    line: np.ndarray
    counted: np.ndarray
    reached: np.ndarray
    lines: tuple[Line, ...]

    @property
    def classes(self) -> int:
        return len(self.first) - 1

    @property
    def class_of_entry(self) -> np.ndarray:
        """int64 (entries,)."""
        return np.repeat(np.arange(self.classes), np.diff(self.first))


def encodings_of(network: Network, population: Population, target: Target) -> list[Encoding]:
    """Those of the synapses that a population's spikes trigger, each once."""
    found = [encoding_of(p.connection, target) for p in network.outgoing(population.name)]
    return list(dict.fromkeys(found))


def needs_weights(network: Network, layout: Layout, population: Population, target: Target) -> bool:
    """Whether its operations differ from the synapses that `wiring` counts, or in encoding."""
    outgoing = network.outgoing(population.name)
    if len(encodings_of(network, population, target)) > 1:
        return True
    if any(t.beyond or t.encoding for p in outgoing for t in layout.tiles_of(p.target)):
        return True
    return target.zero_weights == "skipped" and not all(
        np.all(p.connection.weight) for p in outgoing
    )


def population_operations(
    network: Network, layout: Layout, population: Population, target: Target
) -> Operations:
    """The tables of a population's spikes."""
    outgoing = network.outgoing(population.name)
    tiles = [layout.tiles_of(p.target) for p in outgoing]
    axes = [
        _Axis.of(
            [(p.connection, own) for p, own in zip(outgoing, tiles, strict=True)],
            population.shape,
            axis,
        )
        for axis in (0, 1)
    ]
    rows, columns = axes
    width = len(columns.first)
    lines: dict[Line, int] = {}
    klass, line, counted, reached = [], [], [], []
    for number, projection in enumerate(outgoing):
        connection = projection.connection
        weights = _Weights(connection, population.shape[0], target.zero_weights != "skipped")
        encoding = encoding_of(connection, target)
        for tile in tiles[number]:
            parts = [
                axis.reach(number, room, box)
                for axis, room, box in zip(
                    axes, tile.room[1:], (tile.rows, tile.columns), strict=True
                )
            ]
            (y, down, near_y), (x, across, near_x) = parts
            fed = connection.channel_reach(population.shape[0], tile.channels) > 0
            if not len(y) or not len(x) or not fed.any():
                continue
            entries = weights.through(down, across, tile.room[0])  # (y, x, channels)
            there = (near_y[:, None] & near_x)[..., None] & fed
            klass.append((y[:, None] * width + x).ravel())
            into = Line(tile.core, projection.target, tile.encoding or encoding)
            where = lines.setdefault(into, len(lines))
            line.append(np.full(len(klass[-1]), where, dtype=np.int32))
            counted.append((entries * there).reshape(-1, population.shape[0]))
            reached.append(there.reshape(-1, population.shape[0]))
    classes = (rows.number[:, None] * width + columns.number).astype(np.int32).ravel()
    return _sorted(
        classes, len(rows.first) * width, klass, line, counted, reached, tuple(lines),
        population.shape[0],
    )  # fmt: skip


def _sorted(
    class_of: np.ndarray,
    classes: int,
    klass: list[np.ndarray],
    line: list[np.ndarray],
    counted: list[np.ndarray],
    reached: list[np.ndarray],
    lines: tuple[Line, ...],
    channels: int,
) -> Operations:
    """The entries in the order of their classes; those that nothing reaches left out."""
    empty = np.zeros(0, dtype=np.int64)
    each = np.concatenate([empty, *klass])
    there = np.concatenate([np.zeros((0, channels), dtype=bool), *reached])
    kept = np.flatnonzero(there.any(axis=1))
    kept = kept[np.argsort(each[kept], kind="stable")]
    amounts = np.concatenate([np.zeros((0, channels), dtype=np.int32), *counted])
    return Operations(
        class_of=class_of,
        first=np.searchsorted(each[kept], np.arange(classes + 1)),
        line=np.concatenate([empty, *line])[kept].astype(np.int32),
        counted=np.ascontiguousarray(amounts[kept]),
        reached=there[kept],
        lines=lines,
    )


@dataclass(frozen=True, eq=False)
class _Axis:
    """Source positions along one axis, by where their taps lead.

    number: int64 (positions,), the class of each.  first: a position of each class.
    taps: of each projection: csr (classes, taps) for every range, with a one where the class's
    positions reach the range through the tap.
    """

    number: np.ndarray
    first: np.ndarray
    taps: tuple[dict[Range, sparse.csr_array], ...]

    @classmethod
    def of(
        cls,
        projections: Sequence[tuple[Connection, Sequence[Tile]]],
        source: tuple[int, int, int],
        axis: int,
    ) -> _Axis:
        tables: list[dict[Range, sparse.csr_array]] = []
        size = source[1 + axis]
        for connection, tiles in projections:
            tap, position, target = connection.taps(source, axis)
            count = connection.tap_weight.shape[2 + axis]
            ranges = {box for tile in tiles for box in (tile.room[1 + axis], _box(tile, axis))}
            found = {}
            for begin, end in sorted(ranges):
                inside = (target >= begin) & (target < end)
                places = (position[inside], tap[inside])
                ones = np.ones(len(places[0]), dtype=np.int32)
                found[begin, end] = sparse.coo_array((ones, places), shape=(size, count)).tocsr()
            tables.append(found)
        every = [table for found in tables for table in found.values()]
        joined = sparse.hstack(every, format="csr") if every else sparse.csr_array((size, 1))
        joined.sort_indices()
        number, first = alike(joined, with_values=True)
        kept = tuple({key: table[first] for key, table in found.items()} for found in tables)
        return cls(number, first, kept)

    def reach(
        self, projection: int, room: Range, box: Range
    ) -> tuple[np.ndarray, sparse.csr_array, np.ndarray]:
        """Classes that reach a tile's room, their taps, and whether they reach its box."""
        table = self.taps[projection][room]
        live = np.flatnonzero(np.diff(table.indptr))
        near = np.diff(self.taps[projection][box].indptr)[live] > 0
        return live, table[live], near


def _box(tile: Tile, axis: int) -> Range:
    return (tile.rows, tile.columns)[axis]


class _Weights:
    """Counted taps of one connection, by the target's channels."""

    def __init__(self, connection: Connection, channels: int, zeros: bool) -> None:
        self.connection, self.channels, self.zeros = connection, channels, zeros
        self._counted: dict[Range, np.ndarray] = {}

    def through(
        self, down: sparse.csr_array, across: sparse.csr_array, target: Range
    ) -> np.ndarray:
        """Operations of classes (rows, columns, channels), int32; csr (classes, taps) of both."""
        counted = self._of(target)
        taps, channels, width = counted.shape
        rows = (down @ counted.reshape(taps, -1)).reshape(-1, channels, width)
        turned = np.ascontiguousarray(rows.transpose(2, 0, 1)).reshape(width, -1)
        found = (across @ turned).reshape(-1, len(rows), channels)
        return found.transpose(1, 0, 2).astype(np.int32)

    def _of(self, target: Range) -> np.ndarray:
        """int32 (taps along rows, channels, taps along columns)."""
        if target not in self._counted:
            found = self.connection.counted_taps(self.channels, target, zeros=self.zeros)
            self._counted[target] = np.ascontiguousarray(found.transpose(1, 0, 2))
        return self._counted[target]
