"""Traffic: exact counts of messages, synaptic operations, hops and link loads, from spikes alone.

`TrafficCounter` watches a simulation: it is shown the spikes of each population, in any order,
and adds up the `Traffic` of a run.  See `activity.Traffic` for what is counted.  Beyond
what is said there:

* A spike is counted in the chip step that sends it, whatever delay its projections have.
* Operations are counted as the target does: synapses by groups of neurons that trigger the same
  number (`layout.wiring`); where weights of zero are skipped, weight by weight
  (`layout.operations`).  Without a target every synapse counts, and none has an encoding.
* The host sits at router (0, 0) of chip 0.  The spikes of an `input` population and the nonzero
  values of a graded injection enter there: one message for each destination core, with its hops
  and link loads, HOST_MESSAGE_BYTES each.  They are nobody's `messages_out`.  A graded injection
  counts in the step that uses it, and triggers no synapse.
* What crosses the host link in every sample is in `host_link`.
* `local_messages` are those whose source and destination core share a router (they may be one and
  the same core).
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse

from snndeploy.connections.encoding import COUNTERS, Encoding
from snndeploy.engines.activity import Traffic
from snndeploy.layout.layout import Layout
from snndeploy.layout.operations import (
    Operations,
    encodings_of,
    needs_weights,
    population_operations,
)
from snndeploy.layout.routes import Mesh, crosses_chips
from snndeploy.layout.wiring import HOST, Wiring, injection_wiring, population_wiring
from snndeploy.network import Injection, Network, Population
from snndeploy.target import Target
from snndeploy.target.events import prices_graded
from snndeploy.traffic.attention_work import on_chip
from snndeploy.traffic.host_link import HOST_MESSAGE_BYTES, host_transfers
from snndeploy.traffic.kernels import sum_by_group, sum_operations
from snndeploy.traffic.layers import (
    LAYER_COUNTS,
    LayerTraffic,
    Shares,
    message_shares,
    split_by_target,
)

PER_CORE = (
    "neuron_accesses",
    "neuron_updates",
    "spikes",
    "messages_out",
    "messages_in",
    "synaptic_operations",
    "synapses_met",
    "conv_operations",
    "sparse_operations",
    "graded_operations",
    "attention_macs",
    "attention_additions",
)
PER_STEP = ("local_messages", "host_bytes_in", "host_bytes_out", "attention_bytes")
LINK_ENDS = "link_ends"  # differences of link loads, see routes.py


@dataclass(frozen=True, eq=False)
class Effect:
    """One kind of count: spikes by group (groups, ...) become counts matrix @ spikes at `rows`."""

    counter: str
    rows: np.ndarray
    matrix: sparse.csr_array


@dataclass(frozen=True, eq=False)
class Source:
    """The tables of one population (or injection), ready for use."""

    wiring: Wiring
    group_of: np.ndarray  # int32 (2, segments, positions): message groups, then synapse groups
    groups: int  # of both kinds
    shares: Shares  # what they add to populations
    message_effects: tuple[Effect, ...]
    synapse_effects: tuple[Effect, ...]
    accesses: np.ndarray  # int64 (cores,), neurons, those beyond the edge included
    beyond: np.ndarray  # int64 (cores,), these
    operations: WeighedOperations | None  # where synapse groups do not tell the operations


@dataclass(frozen=True, eq=False)
class WeighedOperations:
    """Operations weight by weight, and the lines that add to each counter, on which core."""

    tables: Operations
    cores: np.ndarray  # int64 (lines,)
    counters: dict[str, np.ndarray]  # lines that add to each counter


class TrafficCounter:
    """Counts the traffic of a run; an `Observer` that is shown the spikes batch after batch.

    samples: how many the run has.  target: whose way of counting it is.
    assumed_updates: populations whose updates were not given; each of their neurons counts as
    updated in each of its steps, which is the upper bound.
    """

    def __init__(
        self, network: Network, layout: Layout, samples: int, target: Target | None = None
    ) -> None:
        self.network = network
        self.target = target
        self.layout = layout
        self.samples = samples
        self.assumed_updates: set[str] = set()
        self._mesh = Mesh(layout.mesh[0] * layout.board[0], layout.mesh[1] * layout.board[1])
        self._sources = {p.name: self._prepare(p) for p in network.populations}
        self._injected = {
            index: self._prepare_injection(injection)
            for index, injection in enumerate(network.injections)
            if injection.mode == "graded"
        }
        self._link_cells, self._used_links = self._find_links()
        self._seen: dict[str | int, int] = dict.fromkeys([*self._sources, *self._injected], 0)
        self._begin()

    def _begin(self) -> None:
        self._layers = LayerTraffic(self.network)
        self._counts = self._constant_counts()

    def fresh(self, samples: int) -> TrafficCounter:
        """A counter for another run of the same program, which shares the tables."""
        counter = copy(self)
        counter.samples = samples
        counter.assumed_updates = set()
        counter._seen = dict.fromkeys(self._seen, 0)
        counter._begin()
        return counter

    def __call__(
        self, population: Population, spikes: np.ndarray, updated: np.ndarray | None = None
    ) -> None:
        """Count the next batch of one population's spikes.

        spikes: (samples, timesteps, C, H, W) integers by aligned step: 0 or 1, or the payloads of
        a relay or an input (those that are not zero count).  The fast layout is channels-last.
        updated: not zero where a neuron had input, bias or a membrane that is not zero; same shape.
        """
        source = self._sources[population.name]
        place = self._next(population.name, population, spikes, population.depth)
        self._count(source, spikes, place)
        if not population.neuron.on_chip:
            return
        everything = source.accesses[:, None, None]
        self._counts["neuron_accesses"][:, *place] += everything
        idle_too = self.target is not None and self.target.idle_neurons == "updated"
        if updated is None or idle_too:
            if not idle_too:
                self.assumed_updates.add(population.name)
            self._counts["neuron_updates"][:, *place] += everything
            bound = int(source.accesses.sum()) * len(spikes)
            self._layers.add_each_step("neuron_updates", population.name, bound)
            return
        on_core = next(e for e in source.message_effects if e.counter == "spikes")
        sums = _group_sums(source, updated, maps=1)[: len(source.wiring.source)]
        self._add("neuron_updates", on_core, sums, place)
        self._counts["neuron_updates"][:, *place] += source.beyond[:, None, None]
        by_step = sums.sum(axis=0).reshape(-1, self.network.timesteps).sum(axis=0)
        by_step = by_step + int(source.beyond.sum()) * len(spikes)
        self._layers.add_each_step("neuron_updates", population.name, by_step)

    def observe_injection(self, index: int, values: np.ndarray) -> None:
        """Count the next batch of host values of `network.injections[index]`.

        values: (samples, timesteps, C, H, W) of a graded injection.  Others need not be shown: the
        spikes of an `input` population are shown as such, and biases cost the same always.
        """
        if index in self._injected:
            population = self.network.by_name[self.network.injections[index].target]
            source = self._injected[index]
            place = self._next(index, population, values, source.shares.begin)
            self._count(source, values, place)

    def result(self) -> Traffic:
        """The counts of all samples; every population must have been shown."""
        behind = [str(name) for name, seen in self._seen.items() if seen != self.samples]
        assert not behind, f"traffic has not seen all samples of {', '.join(behind)}"
        links = self._mesh.links(self._used_links)
        load = self._link_load()
        crosses = crosses_chips(links, self.layout.mesh)
        across = (links[:, 2] != 0) & ~crosses
        return Traffic(
            **{name: np.moveaxis(self._counts[name], 0, -1) for name in PER_CORE},
            **{name: self._counts[name][0] for name in PER_STEP},
            hops_east_west=load[..., across].sum(axis=-1),
            hops_north_south=load[..., ~across & ~crosses].sum(axis=-1),
            hops_inter_chip=load[..., crosses].sum(axis=-1),
            link_load=load,
            links=links,
        )

    def layers(self) -> dict[str, dict[str, np.ndarray]]:
        """The counts by population and name, int64 (chip steps,), summed over the samples."""
        return self._layers.result()

    # counting

    def _next(
        self, key: str | int, population: Population, values: np.ndarray, begin: int
    ) -> tuple[slice, slice]:
        """Samples and chip steps (from `begin`) of these values: the next ones not yet shown."""
        expected = (self.network.timesteps, *population.shape)
        assert values.shape[1:] == expected, f"{key}: shape {values.shape}, not (n, {expected})"
        start = self._seen[key]
        self._seen[key] += len(values)
        assert self._seen[key] <= self.samples, f"{key}: more than {self.samples} samples"
        return slice(start, self._seen[key]), slice(begin, begin + self.network.timesteps)

    def _count(self, source: Source, values: np.ndarray, place: tuple[slice, slice]) -> None:
        sums = _group_sums(source, values)
        self._layers.add_sums(source.shares, sums)
        border = len(source.wiring.source)
        for part, effects in (
            (sums[:border], source.message_effects),
            (sums[border:], source.synapse_effects),
        ):
            for effect in effects:
                self._add(effect.counter, effect, part, place)
        if source.operations:
            self._count_operations(source.operations, source.shares.begin, values, place)

    def _count_operations(
        self,
        weighed: WeighedOperations,
        begin: int,
        values: np.ndarray,
        place: tuple[slice, slice],
    ) -> None:
        tables = weighed.tables
        sums = np.zeros((len(tables.lines), values.shape[0] * values.shape[1]), dtype=np.int64)
        sum_operations(
            _rows(values), tables.class_of, tables.first, tables.line, tables.counted, sums
        )
        sums = sums.reshape(len(sums), values.shape[0], values.shape[1])
        for counter, lines in weighed.counters.items():
            into = self._counts[counter][:, *place]
            np.add.at(into, weighed.cores[lines], sums[lines])
        for line, counts in zip(tables.lines, sums.sum(axis=1), strict=True):
            self._layers.add_operations(line.target, begin, counts)

    def _add(
        self, counter: str, effect: Effect, sums: np.ndarray, place: tuple[slice, slice]
    ) -> None:
        counts = effect.matrix @ sums
        shape = (len(counts), place[0].stop - place[0].start, self.network.timesteps)
        self._counts[counter][effect.rows, *place] += counts.reshape(shape)

    def _constant_counts(self) -> dict[str, np.ndarray]:
        """Counters, int64 (rows, samples, chip steps), with what no spike depends on."""
        network = self.network
        sizes = dict.fromkeys(PER_CORE, self.layout.cores) | dict.fromkeys(PER_STEP, 1)
        sizes[LINK_ENDS] = len(self._link_cells)
        counts = {
            name: np.zeros((rows, self.samples, network.chip_steps), dtype=np.int64)
            for name, rows in sizes.items()
        }
        for name, work in on_chip(network, self.layout).items():
            counts[f"attention_{name}"] += work[:, None]
        for each in host_transfers(network):
            counts[each.counter][0, :, each.step] += each.moved
            self._layers.add(each.counter, each.population, each.step, each.moved * self.samples)
            if each.attention:
                counts["attention_bytes"][0, :, each.step] += each.moved
        return counts

    def _link_load(self) -> np.ndarray:
        """Loads of the used links, int64 (samples, steps, links)."""
        ends = self._counts[LINK_ENDS]
        cells = np.zeros((4 * self._mesh.plane, *ends.shape[1:]), dtype=np.int64)
        cells[self._link_cells] = ends
        return np.moveaxis(self._mesh.loads(cells)[self._used_links], 0, -1)

    # tables

    def _prepare(self, population: Population) -> Source:
        wiring = population_wiring(self.network, self.layout, population)
        beyond, accesses = (np.zeros(self.layout.cores, dtype=np.int64) for _ in range(2))
        for tile in self.layout.tiles_of(population.name):
            beyond[tile.core] += tile.beyond
            accesses[tile.core] += tile.neurons + tile.beyond
        return self._source(wiring, accesses, beyond, population)

    def _prepare_injection(self, injection: Injection) -> Source:
        population = self.network.by_name[injection.target]
        none = np.zeros(self.layout.cores, dtype=np.int64)
        wiring = injection_wiring(self.layout, population)
        return self._source(wiring, none, none, population, host=True)

    def _source(
        self,
        wiring: Wiring,
        accesses: np.ndarray,
        beyond: np.ndarray,
        population: Population,
        *,
        host: bool = False,
    ) -> Source:
        """Tables of a population's spikes, or of the values that the host sends into it."""
        group, rows = wiring.synapse_group, np.arange(wiring.synapses.shape[0])
        reach: dict[str, np.ndarray] = {}
        if not host:
            group, rows, reach = split_by_target(self.network, population, group)
        weighed = None if host else self._weighed(population)
        counters = ["synapses_met"]
        if not (weighed or host):
            counters += counters_of(population, self._encoding(population), self.target)
        synapses = [_effect(counter, wiring.synapses[rows].T) for counter in counters]
        messages = message_shares(wiring, self.layout, HOST_MESSAGE_BYTES)
        begin = population.arrival if host else population.depth
        return Source(
            wiring=wiring,
            group_of=np.stack([wiring.message_group, group + len(wiring.source)]),
            groups=len(wiring.source) + len(rows),
            shares=Shares(
                population.name,
                begin,
                messages,
                reach,
                tuple(c for c in counters if c in LAYER_COUNTS),
            ),
            message_effects=tuple(self._message_effects(wiring)),
            synapse_effects=tuple(effect for effect in synapses if len(effect.rows)),
            accesses=accesses,
            beyond=beyond,
            operations=weighed,
        )

    def _encoding(self, population: Population) -> Encoding:
        """Of all synapses behind a population that has no more than one."""
        if self.target is None:
            return "dense"
        found = encodings_of(self.network, population, self.target)
        return found[0] if found else "dense"

    def _weighed(self, population: Population) -> WeighedOperations | None:
        """The tables of operations, where the groups of synapses do not tell them."""
        place = (self.network, self.layout, population)
        if self.target is None or not needs_weights(*place, self.target):
            return None
        tables = population_operations(*place, self.target)
        counters: dict[str, list[int]] = {}
        for number, line in enumerate(tables.lines):
            for counter in counters_of(population, line.encoding, self.target):
                counters.setdefault(counter, []).append(number)
        return WeighedOperations(
            tables,
            np.array([line.core for line in tables.lines], dtype=np.int64),
            {name: np.array(lines, dtype=np.int64) for name, lines in counters.items()},
        )

    def _message_effects(self, wiring: Wiring) -> list[Effect]:
        groups, cores = wiring.destinations.shape
        group, destination = wiring.destinations.nonzero()
        source = wiring.source[group]
        sent = np.diff(wiring.destinations.indptr)  # messages of one spike of each group
        from_host = wiring.source == HOST
        router = self.layout.positions[:, :2]
        begin = np.where((source == HOST)[:, None], 0, router[source])
        cells, signs = self._mesh.differences(begin, router[destination])
        local = (source != HOST) & (begin == router[destination]).all(axis=1)
        every = np.arange(groups)
        on_chip = every[~from_host]
        zeros = np.zeros_like
        tables = {
            "spikes": (wiring.source[on_chip], on_chip, np.ones(len(on_chip)), cores),
            "messages_out": (wiring.source[on_chip], on_chip, sent[on_chip], cores),
            "messages_in": (destination, group, np.ones(len(group)), cores),
            "local_messages": (zeros(group[local]), group[local], np.ones(local.sum()), 1),
            "host_bytes_in": (zeros(every), every, HOST_MESSAGE_BYTES * from_host * sent, 1),
            LINK_ENDS: (
                cells[cells >= 0],
                np.broadcast_to(group[:, None], cells.shape)[cells >= 0],
                signs[cells >= 0],
                4 * self._mesh.plane,
            ),
        }
        effects = []
        for counter, (row, column, value, rows) in tables.items():
            shape = (rows, groups)
            table = sparse.coo_array((value.astype(np.int64), (row, column)), shape=shape)
            effects.append(_effect(counter, table))
        return effects

    def _find_links(self) -> tuple[np.ndarray, np.ndarray]:
        """Cells of link differences in use (their effects renumbered), and the used links."""
        ends = [
            effect
            for source in (*self._sources.values(), *self._injected.values())
            for effect in source.message_effects
            if effect.counter == LINK_ENDS
        ]
        cells = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *[e.rows for e in ends]]))
        once = np.zeros(4 * self._mesh.plane, dtype=np.int64)
        for effect in ends:
            once[effect.rows] += effect.matrix.sum(axis=1)
            effect.rows[:] = np.searchsorted(cells, effect.rows)
        return cells, self._mesh.loads(once) > 0


def counters_of(population: Population, encoding: Encoding, target: Target | None) -> list[str]:
    """What operations behind a population, of weights in that encoding, add to."""
    graded = population.neuron.sends_graded
    counters = ["synaptic_operations"] + ["graded_operations"] * graded
    apart = graded and target is not None and prices_graded(target)
    return counters if encoding == "dense" or apart else [*counters, COUNTERS[encoding]]


def _effect(counter: str, table: sparse.coo_array) -> Effect:
    """Keep only the rows that hold something."""
    table = table.tocsr()
    table.eliminate_zeros()
    rows = np.flatnonzero(np.diff(table.indptr)).astype(np.int64)
    return Effect(counter, rows, table[rows])


def _group_sums(source: Source, values: np.ndarray, maps: int = 2) -> np.ndarray:
    """How many values are not zero in each group, int64 (groups, samples * steps).

    values: (samples, steps, C, H, W).  Message groups come first; the synapse groups follow them
    when `maps` is 2.
    """
    rows = _rows(values)
    sums = np.zeros((source.groups, len(rows)), dtype=np.int64)
    sum_by_group(rows, source.wiring.channels, source.group_of[:maps], sums)
    return sums


def _rows(values: np.ndarray) -> np.ndarray:
    """Values (samples, steps, C, H, W) as (samples * steps, positions, C)."""
    samples, steps, channels, height, width = values.shape
    rows = np.ascontiguousarray(np.moveaxis(values, 2, -1))
    if rows.dtype == bool:
        rows = rows.view(np.uint8)
    return rows.reshape(samples * steps, height * width, channels)
