"""Demand: the most that any tile of a grid would need of its core, for one population.

Besides what the target limits, a tile needs time: to go through its neurons and send their
messages, and to take in messages and synaptic operations, at the rates of calibration.  A budget
of time is one more limit of the search.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from snndeploy.connections import Range
from snndeploy.connections.encoding import counted_share, encoding_of
from snndeploy.layout.layout import Tile
from snndeploy.mapping.axons import destination_planes, output_plane
from snndeploy.mapping.cost import HOST_RATE, Costs, rate_of
from snndeploy.mapping.entries import input_entries, output_entries
from snndeploy.mapping.grid import Grid, largest
from snndeploy.mapping.memory import (
    CORE_MEMORY,
    INPUT_AXONS,
    NEURON_GROUPS,
    NEURONS,
    OUTPUT_AXONS,
    SYNAPSE_MEMORY,
    neuron_bytes,
    part_memory,
)
from snndeploy.mapping.parts import Part, parts_of
from snndeploy.network import Network, Population, Projection
from snndeploy.target import Target

SEND_NS = "send_ns"
RECEIVE_NS = "receive_ns"


@dataclass(frozen=True, eq=False)
class Demand:
    """What the search needs to know of one population.

    limits: the room of one core, time included; rates: spikes a neuron and step of each source;
    sinks: outgoing projections with the tiles of their targets (those already cut).
    """

    network: Network
    population: Population
    target: Target
    costs: Costs
    limits: Mapping[str, float]
    rates: Mapping[str, float]
    sinks: Sequence[tuple[Projection, Sequence[Tile]]] = ()
    _axes: dict[tuple[int, int], _Axes] = field(init=False, default_factory=dict)
    _sinks: list[tuple[Projection, dict[tuple[Range, ...], np.ndarray]]] = field(
        init=False, default_factory=list
    )
    _sums: dict[tuple[str, Range], np.ndarray] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        for projection in self.network.incoming(self.population.name):
            source = self.network.by_name[projection.source]
            rows, columns = (
                projection.connection.axis_table(source.shape, axis) for axis in (0, 1)
            )
            shared = projection.connection.shared_by_position
            weight = source.shape[0] * rate_of(source, self.rates)
            axes = self._axes.setdefault((id(rows), id(columns)), _Axes(rows, columns))
            axes.axons += 1 if shared else source.shape[0]
            axes.messages.append((projection, weight))
            axes.operation_ns.append(self._operation_ns(projection))
        for projection, tiles in self.sinks:
            planes = destination_planes(projection, self.population.shape, parts_of(tiles))
            self._sinks.append((projection, planes))

    def _operation_ns(self, projection: Projection) -> float:
        """Time of a synapse, in the mean: those of weights that the target skips take none."""
        connection = projection.connection
        each = self.costs.operation_ns[encoding_of(connection, self.target)]
        return each * counted_share(connection, self.target)

    @property
    def is_grouped(self) -> bool:
        return any(
            projection.connection.groups > 1
            for projection in (
                *self.network.incoming(self.population.name),
                *self.network.outgoing(self.population.name),
            )
        )

    def use(self, grid: Grid) -> dict[str, float]:
        """The most that any tile of the grid needs, for each limit."""
        return {name: self.need(name, grid) for name in self.limits}

    def need(self, resource: str, grid: Grid) -> float:
        """The most that any tile of the grid needs of one resource."""
        if resource in (NEURONS, NEURON_GROUPS):
            return self.neurons(grid) if resource == NEURONS else 1
        return {
            SYNAPSE_MEMORY: self.memory,
            INPUT_AXONS: self.input_axons,
            OUTPUT_AXONS: self.output_axons,
            CORE_MEMORY: self.core_memory,
            SEND_NS: self.send_ns,
            RECEIVE_NS: self.receive_ns,
        }[resource](grid)

    def neurons(self, grid: Grid) -> int:
        return largest(grid.channels) * largest(grid.rows) * largest(grid.columns)

    def core_memory(self, grid: Grid) -> int:
        """Bytes of the fullest core, where the most of everything may be on one tile."""
        each = neuron_bytes(self.network, self.population, self.target)
        total = self.memory(grid) + self.neurons(grid) * each
        if self.target.axon_entry_bytes is None:
            return total
        axons = self.input_axons(grid) + self.output_axons(grid)
        return total + self.target.axon_entry_bytes * axons

    def memory(self, grid: Grid) -> int:
        """Bytes of the fullest core; weights that are not shared, where the most synapses are."""
        return max(part_memory(self.network, part, self.target) for part in self._fullest(grid))

    def input_axons(self, grid: Grid) -> int:
        if self.target.encoding == "words":
            return max(input_entries(self.network, part) for part in self._fullest(grid))
        total = np.zeros((len(grid.rows), len(grid.columns)), dtype=np.int64)
        for axes in self._axes.values():
            rows, columns = axes.reached(grid)
            total += axes.axons * np.outer(rows, columns)
        return int(total.max()) + self._graded * largest(grid.rows) * largest(grid.columns)

    def output_axons(self, grid: Grid) -> int:
        if self.target.encoding == "words":
            plane = ((0, largest(grid.rows)), (0, largest(grid.columns)))  # its place is no matter
            return max(
                output_entries(
                    self.network, Part(part.population, 0, ((part.channels[0], *plane),))
                )
                for part in self._fullest(grid)
            )
        return int(self._most(OUTPUT_AXONS, grid))

    def _fullest(self, grid: Grid) -> Iterator[Part]:
        """Tiles with the most memory: one for each size of a block of channels.

        Of pieces that are powers of two, fewer channels may need more than more.
        """
        rows, columns = self._busiest(grid)
        sizes = {stop - start: (start, stop) for start, stop in grid.channels}
        for channels in grid.channels if self.is_grouped else sizes.values():
            yield Part(self.population.name, 0, ((channels, rows, columns),))

    def send_ns(self, grid: Grid) -> float:
        """Time of the slowest tile to go through its neurons and send their messages."""
        return self._most(SEND_NS, grid)

    def receive_ns(self, grid: Grid) -> float:
        """Time of the slowest tile to take in its messages and synaptic operations."""
        most = 0.0
        host_ns = self._graded * HOST_RATE * self.costs.message_in_ns
        sizes = [np.diff(np.array(ranges), axis=1)[:, 0] for ranges in (grid.rows, grid.columns)]
        reach = [(axes, axes.reached(grid), axes.taps(grid)) for axes in self._axes.values()]
        for channels in self._blocks(grid):
            total = (channels[1] - channels[0]) * host_ns * np.outer(*sizes)
            for axes, reached, taps in reach:
                messages, operations_ns = 0.0, 0.0
                for (projection, weight), each in zip(
                    axes.messages, axes.operation_ns, strict=True
                ):
                    fed = projection.connection.group_reach(channels)
                    messages += weight * float(np.mean(fed > 0))
                    operations_ns += weight * float(np.mean(fed)) * each
                total = total + self.costs.message_in_ns * messages * np.outer(*reached)
                total += operations_ns * np.outer(*taps)
            most = max(most, float(total.max()))
        return most

    def messages(self, grid: Grid) -> float:
        """Messages a step that the population receives, at the sources' rates."""
        total = 0.0
        for axes in self._axes.values():
            rows, columns = axes.reached(grid)
            places = float(rows.sum() * columns.sum())
            for projection, weight in axes.messages:
                fed = [projection.connection.group_reach(c) > 0 for c in grid.channels]
                total += places * weight * float(np.mean(fed, axis=1).sum())
        return total

    @property
    def _graded(self) -> int:
        injections = self.network.injections_into(self.population.name)
        return sum(injection.mode == "graded" for injection in injections)

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

    def _most(self, resource: str, grid: Grid) -> float:
        """The largest sum of a plane over a tile of the grid."""
        rows, columns = (
            np.array([0, *(stop for _, stop in ranges)]) for ranges in (grid.rows, grid.columns)
        )
        most = 0.0
        for channels in self._blocks(grid):
            corners = self._corners(resource, channels)[np.ix_(rows, columns)]
            most = max(most, float(np.diff(np.diff(corners, axis=0), axis=1).max()))
        return most

    def _corners(self, resource: str, channels: Range) -> np.ndarray:
        """Integral image (height + 1, width + 1) of the output axons, or the time to send."""
        key = (resource, channels)
        if key not in self._sums:
            plane = self._axon_plane if resource == OUTPUT_AXONS else self._send_plane
            image = np.zeros([size + 1 for size in self.population.shape[1:]])
            image[1:, 1:] = plane(channels)
            self._sums[key] = image.cumsum(axis=0).cumsum(axis=1)
        return self._sums[key]

    def _axon_plane(self, channels: Range) -> np.ndarray:
        shape = self.population.shape
        plane = np.zeros(shape[1:], dtype=np.int64)
        for projection, planes in self._sinks:
            plane += output_plane(projection, shape, channels, planes)
        return plane

    def _send_plane(self, channels: Range) -> np.ndarray:
        shape, rate = self.population.shape, rate_of(self.population, self.rates)
        each = self.costs.neuron_ns(rate) + self.costs.attention_ns(
            self.population, self.network.timesteps
        )
        plane = np.full(shape[1:], (channels[1] - channels[0]) * each)
        for projection, planes in self._sinks:
            for sinks, count in planes.items():
                fed: np.ndarray = np.sum(
                    [projection.connection.channel_reach(shape[0], sink) for sink in sinks], axis=0
                )
                senders = int(np.count_nonzero(fed[slice(*channels)]))
                plane = plane + (senders * rate * self.costs.message_out_ns) * count
        return plane


@dataclass(eq=False)
class _Axes:
    """Projections of one geometry: cumulative taps of both axes, axons a position, messages, and
    the time of a synapse of each."""

    rows: np.ndarray
    columns: np.ndarray
    axons: int = 0
    messages: list[tuple[Projection, float]] = field(default_factory=list)
    operation_ns: list[float] = field(default_factory=list)

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
