"""What cycle-level timing reads: recorded spikes, and the order in which the cores visit neurons.

A core visits its tiles in the order of the layout and a tile's neurons row by row, column by
column, channel by channel (the channel runs fastest, as Lava numbers neurons).  A neuron that
fires sends its messages in the order of its destination cores.  The host is one more sender, at
router (0, 0) of chip 0: its spikes and graded values are all ready when the step begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from snndeploy.connections.encoding import ENCODINGS
from snndeploy.errors import DataError
from snndeploy.layout.layout import Layout
from snndeploy.layout.operations import (
    Operations,
    encodings_of,
    needs_weights,
    population_operations,
)
from snndeploy.layout.wiring import Wiring, injection_wiring, population_wiring
from snndeploy.network import Network, Population
from snndeploy.target import Target
from snndeploy.timing.cycle_messages import ACTIVE, FIRED, SERVICE_BITS, UPDATED

Key = str | int  # a population's name, or the number of a graded injection


class SpikeRecorder:
    """Keeps the spikes and updates of chosen samples, one bit each; an `Observer`.

    samples: their numbers in the run; None for all that come.  Where no updates are given, all
    neurons of the population count as updated, as `TrafficCounter` does.
    """

    def __init__(self, network: Network, samples: Iterable[int] | None = None) -> None:
        self.network = network
        self.chosen = None if samples is None else sorted(set(samples))
        self._seen: dict[Key, int] = {}
        self._spikes: dict[Key, list[np.ndarray]] = {}
        self._updates: dict[Key, list[np.ndarray]] = {}

    def __call__(
        self, population: Population, spikes: np.ndarray, updated: np.ndarray | None = None
    ) -> None:
        """Keep what is wanted of one population's next batch, (samples, timesteps, C, H, W)."""
        wanted = self._take(population.name, spikes, self._spikes)
        if population.neuron.on_chip:
            marks = np.ones((1, 1, 1, 1, 1)) if updated is None else updated
            self._updates.setdefault(population.name, [])
            given = np.broadcast_to(marks, spikes.shape)
            self._updates[population.name] += [_packed(given[index]) for index in wanted]

    def observe_injection(self, index: int, values: np.ndarray) -> None:
        """Keep the next batch of host values of a graded injection; others need not be shown."""
        if self.network.injections[index].mode == "graded":
            self._take(index, values, self._spikes)

    def _take(self, key: Key, values: np.ndarray, kept: dict[Key, list[np.ndarray]]) -> list[int]:
        start = self._seen.get(key, 0)
        self._seen[key] = start + len(values)
        wanted = [
            index
            for index in range(len(values))
            if self.chosen is None or start + index in self.chosen
        ]
        kept.setdefault(key, []).extend(_packed(values[index]) for index in wanted)
        return wanted

    @property
    def samples(self) -> tuple[int, ...]:
        """Numbers of the samples that were kept."""
        seen = min(self._seen.values(), default=0)
        chosen = range(seen) if self.chosen is None else self.chosen
        return tuple(number for number in chosen if number < seen)

    def spikes(self, key: Key, index: int, tau: int) -> np.ndarray:
        """Who sends in the aligned step tau of the index-th kept sample: bool, (H * W * C,)."""
        return self._bits(self._spikes, key, index, tau)

    def updates(self, key: Key, index: int, tau: int) -> np.ndarray:
        """Which neurons are updated then; as `spikes`."""
        return self._bits(self._updates, key, index, tau)

    def _bits(
        self, kept: dict[Key, list[np.ndarray]], key: Key, index: int, tau: int
    ) -> np.ndarray:
        if key not in kept or index >= len(kept[key]):
            raise DataError(f"the spikes of {key!r} were not recorded for sample {index}")
        name = key if isinstance(key, str) else self.network.injections[key].target
        count = self.network.by_name[name].neurons
        return np.unpackbits(kept[key][index][tau], count=count).view(bool)


def _packed(values: np.ndarray) -> np.ndarray:
    """Bits of one sample (timesteps, C, H, W), channels last: uint8 (timesteps, bytes)."""
    return np.packbits(np.moveaxis(values != 0, 1, -1).reshape(len(values), -1), axis=1)


@dataclass(frozen=True, eq=False)
class Source:
    """A population or graded injection in the numbering of all neurons."""

    key: Key
    depth: int
    first: int
    neurons: int
    from_host: bool


@dataclass(frozen=True, eq=False)
class Walk:
    """Everything that the senders do, whatever the spikes.

    order: int32, neurons in walking order; first: int64 (senders + 1,), where each sender begins.
    row: int32 (neurons,), rows of row_start (int64) and of core (int64): where a spike goes.
    operations: int64 (ENCODINGS, entries of core), what it triggers there.
    """

    network: Network
    sources: tuple[Source, ...]
    order: np.ndarray
    first: np.ndarray
    row: np.ndarray
    row_start: np.ndarray
    core: np.ndarray
    operations: np.ndarray

    def parcels(self, message_ticks: int, operation_ticks: Sequence[int]) -> np.ndarray:
        """Destination core and service time of every entry of the rows, int64.

        operation_ticks: of an operation in each of ENCODINGS.
        """
        service = message_ticks + np.asarray(operation_ticks, dtype=np.int64) @ self.operations
        assert service.max(initial=0) < 1 << SERVICE_BITS, "a message takes too long to serve"
        return (self.core << SERVICE_BITS) | service

    def state(
        self, recorder: SpikeRecorder, index: int, step: int, *, pipelined: bool
    ) -> np.ndarray:
        """ACTIVE, UPDATED and FIRED of every neuron in a chip step of the index-th kept sample.

        pipelined: the chip is full; step counts from 0 to timesteps - 1, and every population is
        in its own step of that sample, which stands for its neighbours.
        """
        state = np.zeros(len(self.row), dtype=np.uint8)
        timesteps = self.network.timesteps
        for source in self.sources:
            tau = (step - source.depth) % timesteps if pipelined else step - source.depth
            if not 0 <= tau < timesteps:
                continue
            part = state[source.first : source.first + source.neurons]
            part[recorder.spikes(source.key, index, tau)] = FIRED
            if not source.from_host:
                part |= ACTIVE
                part[recorder.updates(source.key, index, tau)] |= UPDATED
        return state


def walk_of(network: Network, layout: Layout, target: Target | None = None) -> Walk:
    """Tables of a mapped network.

    target: whose operations they are; without one every synapse is one, and all are dense.
    """
    sources: list[Source] = []
    rows, tables = [], []
    neurons, groups = 0, 0
    for key, population, wiring in _wirings(network, layout):
        from_host = not population.neuron.on_chip or not isinstance(key, str)
        depth = population.arrival if from_host else population.depth
        sources.append(Source(key, depth, neurons, population.neurons, from_host))
        table = _table(
            network, layout, population, wiring, target if isinstance(key, str) else None
        )
        rows.append((table.row + groups).astype(np.int32))
        tables.append(table)
        neurons += population.neurons
        groups += len(table.lengths)
    lengths = [table.lengths for table in tables]
    order, first = _order(network, layout, sources)
    return Walk(
        network=network,
        sources=tuple(sources),
        order=order,
        first=first,
        row=np.concatenate(rows),
        row_start=np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64),
        core=np.concatenate([table.core for table in tables]),
        operations=np.concatenate([table.operations for table in tables], axis=1),
    )


@dataclass(frozen=True, eq=False)
class _Table:
    """Of one population: the row of each neuron, entries of each row, and what they hold."""

    row: np.ndarray
    lengths: np.ndarray
    core: np.ndarray
    operations: np.ndarray


def _table(
    network: Network,
    layout: Layout,
    population: Population,
    wiring: Wiring,
    target: Target | None,
) -> _Table:
    if target is not None and needs_weights(network, layout, population, target):
        return _weighed_table(population_operations(network, layout, population, target))
    segment = np.repeat(np.arange(len(wiring.channels) - 1), np.diff(wiring.channels))
    found = [] if target is None else encodings_of(network, population, target)
    operations = np.zeros((len(ENCODINGS), wiring.synapses.nnz), dtype=np.int64)
    operations[ENCODINGS.index(found[0] if found else "dense")] = wiring.synapses.data
    return _Table(
        row=wiring.synapse_group[segment].T.ravel(),
        lengths=np.diff(wiring.synapses.indptr),
        core=wiring.synapses.indices.astype(np.int64),
        operations=operations,
    )


def _weighed_table(tables: Operations) -> _Table:
    """A row for each class of positions and channel; one entry for each core that it reaches."""
    entry, channel = np.nonzero(tables.reached)
    channels = tables.reached.shape[1]
    row = tables.class_of_entry[entry] * channels + channel
    core_of = np.array([line.core for line in tables.lines], dtype=np.int64)
    encoding_of = [ENCODINGS.index(line.encoding) for line in tables.lines]
    line = tables.line[entry]
    cores = int(core_of.max(initial=0)) + 1
    key, place = np.unique(row * cores + core_of[line], return_inverse=True)
    operations = np.zeros((len(ENCODINGS), len(key)), dtype=np.int64)
    where = (np.array(encoding_of, dtype=np.int64)[line], place.ravel())
    np.add.at(operations, where, tables.counted[entry, channel])
    return _Table(
        row=(tables.class_of[:, None].astype(np.int64) * channels + np.arange(channels)).ravel(),
        lengths=np.bincount(key // cores, minlength=tables.classes * channels),
        core=key % cores,
        operations=operations,
    )


def _wirings(network: Network, layout: Layout) -> Iterable[tuple[Key, Population, Wiring]]:
    for population in network.populations:
        yield population.name, population, population_wiring(network, layout, population)
    for index, injection in enumerate(network.injections):
        if injection.mode == "graded":
            population = network.by_name[injection.target]
            yield index, population, injection_wiring(layout, population)


def _order(
    network: Network, layout: Layout, sources: list[Source]
) -> tuple[np.ndarray, np.ndarray]:
    """Walking order, and where each core and then the host begins in it."""
    first_of = {source.key: source.first for source in sources}
    parts: list[list[np.ndarray]] = [[] for _ in range(layout.cores + 1)]
    for tile in layout.tiles:
        channels, height, width = network.by_name[tile.population].shape
        numbers = np.arange(channels * height * width, dtype=np.int32)
        box = numbers.reshape(height, width, channels)[
            slice(*tile.rows), slice(*tile.columns), slice(*tile.channels)
        ]
        parts[tile.core].append(box.ravel() + np.int32(first_of[tile.population]))
    for source in sources:
        if source.from_host:
            numbers = np.arange(source.neurons, dtype=np.int32)
            parts[-1].append(numbers + np.int32(source.first))
    walks = [np.concatenate([np.zeros(0, dtype=np.int32), *part]) for part in parts]
    first = np.concatenate([[0], np.cumsum([len(walk) for walk in walks])]).astype(np.int64)
    return np.concatenate(walks), first
