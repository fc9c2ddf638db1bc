"""Demand: the most that any tile of a grid would need of its core, for one population."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from snndeploy.mapping.grid import Grid, largest
from snndeploy.mapping.layout import Tile
from snndeploy.mapping.memory import (
    INPUT_AXONS,
    NEURONS,
    OUTPUT_AXONS,
    SYNAPSE_MEMORY,
    destination_planes,
    output_plane,
    synapse_bits,
)
from snndeploy.mapping.reach import Range, axis_table, group_reach, is_shared_by_position
from snndeploy.network import Network, Population, Projection, Shape
from snndeploy.target import Target


@dataclass(frozen=True, eq=False)
class Demand:
    """What the search needs to know of one population.

    limits: the room of one core; rates: spikes a neuron and step of each source, for messages;
    sinks: outgoing projections with the tiles of their targets (those already cut).
    """

    network: Network
    population: Population
    target: Target
    limits: Mapping[str, int]
    rates: Mapping[str, float]
    sinks: Sequence[tuple[Projection, Sequence[Tile]]] = ()
    _axes: dict[tuple[int, int], _Axes] = field(init=False, default_factory=dict)
    _planes: list[tuple[Projection, dict[Range, np.ndarray]]] = field(
        init=False, default_factory=list
    )
    _sums: dict[Range, np.ndarray] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        for projection in self.network.incoming(self.population.name):
            source = self.network.by_name[projection.source]
            rows, columns = (
                axis_table(projection.connection, source.shape, axis) for axis in (0, 1)
            )
            shared = is_shared_by_position(projection.connection)
            weight = source.shape[0] * self.rates.get(source.name, 1.0)
            axes = self._axes.setdefault((id(rows), id(columns)), _Axes(rows, columns))
            axes.axons += 1 if shared else source.shape[0]
            axes.messages.append((projection, weight))
        if OUTPUT_AXONS in self.limits:
            for projection, tiles in self.sinks:
                planes = destination_planes(projection, self.population.shape, tiles)
                self._planes.append((projection, planes))

    @property
    def is_grouped(self) -> bool:
        return any(
            getattr(projection.connection, "groups", 1) > 1
            for projection in (
                *self.network.incoming(self.population.name),
                *self.network.outgoing(self.population.name),
            )
        )

    def use(self, grid: Grid) -> dict[str, int]:
        """The most that any tile of the grid needs, for each limited resource."""
        use = {NEURONS: largest(grid.channels) * largest(grid.rows) * largest(grid.columns)}
        use[SYNAPSE_MEMORY] = self.memory(grid)
        if INPUT_AXONS in self.limits:
            use[INPUT_AXONS] = self.input_axons(grid)
        if OUTPUT_AXONS in self.limits:
            use[OUTPUT_AXONS] = self.output_axons(grid)
        return use

    def memory(self, grid: Grid) -> int:
        """Bytes of the fullest core; weights that are not shared, where the most synapses are."""
        bits = 0
        rows, columns = self._busiest(grid)
        for channels in self._blocks(grid):
            total = sum(
                synapse_bits(
                    p.connection, self._shape(p.source), (channels, rows, columns), self.target
                )
                for p in self.network.incoming(self.population.name)
            )
            bits = max(bits, total)
        return -(-bits // 8)

    def input_axons(self, grid: Grid) -> int:
        total = np.zeros((len(grid.rows), len(grid.columns)), dtype=np.int64)
        for axes in self._axes.values():
            rows, columns = axes.reached(grid)
            total += axes.axons * np.outer(rows, columns)
        graded = sum(i.mode == "graded" for i in self.network.injections_into(self.population.name))
        return int(total.max()) + graded * largest(grid.rows) * largest(grid.columns)

    def output_axons(self, grid: Grid) -> int:
        rows, columns = (
            np.array([0, *(stop for _, stop in ranges)]) for ranges in (grid.rows, grid.columns)
        )
        most = 0
        for channels in self._blocks(grid):
            corners = self._corners(channels)[np.ix_(rows, columns)]
            most = max(most, int(np.diff(np.diff(corners, axis=0), axis=1).max()))
        return most

    def messages(self, grid: Grid) -> float:
        """Messages a step that the population receives, at the sources' rates."""
        total = 0.0
        for axes in self._axes.values():
            rows, columns = axes.reached(grid)
            places = float(rows.sum() * columns.sum())
            for projection, weight in axes.messages:
                fed = [group_reach(projection.connection, c) > 0 for c in grid.channels]
                total += places * weight * float(np.mean(fed, axis=1).sum())
        return total

    def _busiest(self, grid: Grid) -> tuple[Range, Range]:
        """The row range and the column range with the most taps."""
        rows, columns = np.zeros(len(grid.rows)), np.zeros(len(grid.columns))
        for axes in self._axes.values():
            taps = axes.taps(grid)
            rows, columns = rows + taps[0], columns + taps[1]
        return grid.rows[int(rows.argmax())], grid.columns[int(columns.argmax())]

    def _blocks(self, grid: Grid) -> tuple[Range, ...]:
        """The channel ranges worth looking at: without groups, the largest stands for all."""
        if self.is_grouped:
            return grid.channels
        return (max(grid.channels, key=lambda part: part[1] - part[0]),)

    def _corners(self, channels: Range) -> np.ndarray:
        """Integral image (height + 1, width + 1) of the output axons of these channels."""
        if channels not in self._sums:
            shape = self.population.shape
            plane = np.zeros((shape[1] + 1, shape[2] + 1), dtype=np.int64)
            for projection, planes in self._planes:
                plane[1:, 1:] += output_plane(projection, shape, channels, planes)
            self._sums[channels] = plane.cumsum(axis=0).cumsum(axis=1)
        return self._sums[channels]

    def _shape(self, source: str) -> Shape:
        return self.network.by_name[source].shape


@dataclass(eq=False)
class _Axes:
    """Projections of one geometry: cumulative taps of both axes, axons a position, messages."""

    rows: np.ndarray
    columns: np.ndarray
    axons: int = 0
    messages: list[tuple[Projection, float]] = field(default_factory=list)

    def reached(self, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
        """Source rows that each row range reads, and columns likewise, int64."""
        rows, columns = self._reach(grid)
        return np.count_nonzero(rows, axis=1), np.count_nonzero(columns, axis=1)

    def taps(self, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
        """How often each row range reads a source row, and each column range a column, int64."""
        rows, columns = self._reach(grid)
        return rows.sum(axis=1), columns.sum(axis=1)

    def _reach(self, grid: Grid) -> Iterator[np.ndarray]:
        for table, ranges in ((self.rows, grid.rows), (self.columns, grid.columns)):
            bounds = np.array(ranges)
            yield table[bounds[:, 1]] - table[bounds[:, 0]]
