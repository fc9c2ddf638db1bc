"""Expectation: the traffic, time and energy of a layout at given firing rates.

The counts are those of a simulation whose spikes are spread evenly over a population's neurons and
steps: each neuron that shares a *message group* (see `layout/wiring.py`) sends `rate` messages a
step to each of the group's cores.  Without better knowledge every neuron is taken to be updated in
each step of its window, and every graded value of the host to be sent.  The counts are handed to
the functions that time and price a run (`timing`), so that a layout's figures and a report's
differ by what is known of the activity, and by nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import scipy.sparse as sparse

from snndeploy.engines.activity import Traffic
from snndeploy.layout.layout import Layout
from snndeploy.layout.operations import encodings_of, needs_weights, population_operations
from snndeploy.layout.routes import Mesh, crosses_chips
from snndeploy.layout.wiring import HOST, Wiring, injection_wiring, population_wiring
from snndeploy.mapping.cost import HOST_RATE, rate_of
from snndeploy.network import Network, Population
from snndeploy.target import Target
from snndeploy.timing.analytic import NANO, analytic_timing, load_of
from snndeploy.timing.energy import chip_energy
from snndeploy.traffic.attention_work import on_chip
from snndeploy.traffic.counter import PER_CORE, PER_STEP, counters_of
from snndeploy.traffic.host_link import HOST_MESSAGE_BYTES, host_transfers

Amount = float | np.ndarray
"""Of each neuron and step alike, or float64 (timesteps, C, H, W)."""


@dataclass(frozen=True, eq=False)
class Expectation:
    """Of one sample: seconds, joules; of one step when all populations work: messages and hops.

    busy_ns: of the busiest core in the slowest step, without barrier and links; link_ns: of the
    busiest link.  flow: csr (cores + 1, cores), messages a step from each core to each core; the
    last row is the host.
    """

    latency_seconds: float
    energy_joules: float
    busy_ns: float
    link_ns: float
    messages: float
    hops: float
    flow: sparse.csr_array

    @property
    def energy_delay(self) -> float:
        """The product; the latency alone where the target prices no energy."""
        return self.latency_seconds * (self.energy_joules or 1.0)


def expect(
    network: Network,
    layout: Layout,
    target: Target,
    rates: Mapping[str, Amount],
    *,
    updates: Mapping[str, Amount] | None = None,
    host: Mapping[int, Amount] | None = None,
    links: bool = True,
) -> Expectation:
    """What a sample is expected to take and cost.

    rates: messages of each neuron, by population.  updates: neurons updated, likewise.  host:
    graded values sent, by the number of their injection.  links: False, as if messages took no
    time.
    """
    counts = _Counts(network, layout, target)
    for population in network.populations:
        counts.add_population(
            population, rate_of(population, rates), (updates or {}).get(population.name, 1.0)
        )
    for index, injection in enumerate(network.injections):
        if injection.mode == "graded":
            sent = (host or {}).get(index, HOST_RATE)
            counts.add_injection(network.by_name[injection.target], sent)
    traffic = counts.traffic()
    load = load_of(traffic, layout, target)
    busy, link = (float(max(part.max(initial=0.0) for part in parts)) / NANO
                  for parts in ((load.send, load.receive), (load.link,)))  # fmt: skip
    if not links:
        load = replace(load, link=np.zeros_like(load.link))
    timing = analytic_timing(traffic, layout, target, network.timesteps, load)
    flow = counts.flow()
    every_hop = traffic.hops_east_west + traffic.hops_north_south + traffic.hops_inter_chip
    return Expectation(
        latency_seconds=float(timing.latency_seconds[0]),
        energy_joules=float(chip_energy(traffic, timing, layout, target).total[0]),
        busy_ns=busy,
        link_ns=link,
        messages=float(flow.sum()),
        hops=float(every_hop.sum()) / network.timesteps,
        flow=flow,
    )


@dataclass(eq=False)
class _Counts:
    """Adds up what populations do; `flows` by the chip steps in which they send alike."""

    network: Network
    layout: Layout
    target: Target
    flows: dict[tuple[int, int], sparse.csr_array] = field(default_factory=dict)
    counts: dict[str, np.ndarray] = field(init=False)

    def __post_init__(self) -> None:
        steps, cores = self.network.chip_steps, self.layout.cores
        self.counts = {name: np.zeros((steps, cores)) for name in PER_CORE}
        self.counts |= {name: np.zeros(steps) for name in PER_STEP}
        for name, work in on_chip(self.network, self.layout).items():
            self.counts[f"attention_{name}"] += work.T
        for each in host_transfers(self.network):
            self.counts[each.counter][each.step] += each.moved
            if each.attention:
                self.counts["attention_bytes"][each.step] += each.moved

    def add_population(self, population: Population, rate: Amount, updated: Amount) -> None:
        wiring = population_wiring(self.network, self.layout, population)
        held, beyond = np.zeros(self.layout.cores), np.zeros(self.layout.cores)
        for tile in self.layout.tiles_of(population.name):
            held[tile.core] += tile.neurons + tile.beyond
            beyond[tile.core] += tile.beyond
        window = slice(population.depth, population.depth + self.network.timesteps)
        self.counts["neuron_accesses"][window] += held
        if population.neuron.on_chip:
            if self.target.idle_neurons == "updated":
                self.counts["neuron_updates"][window] += held
            elif not isinstance(updated, np.ndarray):
                self.counts["neuron_updates"][window] += updated * (held - beyond) + beyond
            else:
                sums = _group_sums(wiring, wiring.message_group, updated)
                self.counts["neuron_updates"][window] += _by_core(wiring, sums, len(held)) + beyond
        sent = _group_sums(wiring, wiring.message_group, rate)
        self.counts["spikes"][window] += _by_core(wiring, sent, len(held))
        met = _group_sums(wiring, wiring.synapse_group, rate) @ wiring.synapses
        self.counts["synapses_met"][window] += met
        place = (self.network, self.layout, population, self.target)
        if needs_weights(*place):
            self._add_operations(population, window, rate)
        else:
            encoding = (encodings_of(self.network, population, self.target) or ["dense"])[0]
            for counter in counters_of(population, encoding, self.target):
                self.counts[counter][window] += met
        self._add_messages(wiring, sent, population.depth)

    def _add_operations(self, population: Population, window: slice, rate: Amount) -> None:
        """Operations weight by weight, at the rates of each class of positions."""
        tables = population_operations(self.network, self.layout, population, self.target)
        classes, entries = tables.classes, tables.class_of_entry
        if isinstance(rate, np.ndarray):
            planes = rate.reshape(*rate.shape[:2], -1)
            sent = np.zeros((len(planes), population.shape[0], classes))
            np.add.at(sent.transpose(2, 0, 1), tables.class_of, planes.transpose(2, 0, 1))
            each = np.einsum("tce,ec->te", sent[..., entries], tables.counted)
        else:
            sizes = np.bincount(tables.class_of, minlength=classes)
            each = (rate * sizes[entries] * tables.counted.sum(axis=1))[None]
        for number, line in enumerate(tables.lines):
            total = each[:, tables.line == number].sum(axis=1)
            for counter in counters_of(population, line.encoding, self.target):
                self.counts[counter][window, line.core] += total

    def add_injection(self, population: Population, sent: Amount) -> None:
        wiring = injection_wiring(self.layout, population)
        sums = _group_sums(wiring, wiring.message_group, sent)
        self._add_messages(wiring, sums, population.arrival)

    def _add_messages(self, wiring: Wiring, sent: np.ndarray, begin: int) -> None:
        """sent: spikes of each message group, (1 or timesteps, groups), from chip step `begin`."""
        table = wiring.destinations.tocoo()
        source = np.where(wiring.source == HOST, self.layout.cores, wiring.source)[table.row]
        shape = (self.layout.cores + 1, self.layout.cores)
        width = self.network.timesteps // len(sent)
        for step, each in enumerate(sent):
            flow = sparse.coo_array((each[table.row], (source, table.col)), shape=shape).tocsr()
            steps = (begin + step * width, begin + (step + 1) * width)
            self.flows[steps] = self.flows[steps] + flow if steps in self.flows else flow

    def flow(self) -> sparse.csr_array:
        """Messages a step when all populations work."""
        empty = sparse.csr_array((self.layout.cores + 1, self.layout.cores))
        parts = [((end - begin) / self.network.timesteps) * flow
                 for (begin, end), flow in self.flows.items()]  # fmt: skip
        return sum(parts, start=empty)

    def traffic(self) -> Traffic:
        """Counts of one sample, float64 where a run's are integers."""
        layout, counts = self.layout, self.counts
        mesh = Mesh(layout.mesh[0] * layout.board[0], layout.mesh[1] * layout.board[1])
        router = np.concatenate([layout.positions[:, :2], np.zeros((1, 2), dtype=np.int32)])
        ends = np.zeros((4 * mesh.plane, len(self.flows)))
        active = np.zeros((len(self.flows), self.network.chip_steps))
        for number, ((begin, end), flow) in enumerate(self.flows.items()):
            counts["messages_in"][begin:end] += np.asarray(flow.sum(axis=0)).ravel()
            out = np.asarray(flow.sum(axis=1)).ravel()
            counts["messages_out"][begin:end] += out[:-1]
            counts["host_bytes_in"][begin:end] += HOST_MESSAGE_BYTES * out[-1]
            entries = flow.tocoo()
            start, stop = router[entries.row], router[entries.col]
            local = (start == stop).all(axis=1) & (entries.row < layout.cores)
            counts["local_messages"][begin:end] += entries.data[local].sum()
            cells, signs = mesh.differences(start, stop)
            used = cells >= 0
            weights = (entries.data[:, None] * signs)[used]
            ends[:, number] = np.bincount(cells[used], weights=weights, minlength=len(ends))
            active[number, begin:end] = 1
        loads = mesh.loads(ends)
        taken = loads.max(axis=-1, initial=0.0) > 0
        links, load = mesh.links(taken), (loads[taken] @ active).T
        crosses = crosses_chips(links, layout.mesh)
        across = (links[:, 2] != 0) & ~crosses
        return Traffic(
            **{name: values[None] for name, values in counts.items()},
            hops_east_west=load[:, across].sum(axis=-1)[None],
            hops_north_south=load[:, ~across & ~crosses].sum(axis=-1)[None],
            hops_inter_chip=load[:, crosses].sum(axis=-1)[None],
            link_load=load[None],
            links=links,
        )


def _group_sums(wiring: Wiring, group: np.ndarray, amount: Amount) -> np.ndarray:
    """The amounts of each group's neurons, float64 (1 or timesteps, groups)."""
    if not isinstance(amount, np.ndarray):
        weights = np.broadcast_to(np.diff(wiring.channels)[:, None], group.shape)
        sizes = np.bincount(group.ravel(), weights=weights.ravel())
        return amount * sizes[None]
    planes = amount.reshape(*amount.shape[:2], -1)
    segments = np.add.reduceat(planes, wiring.channels[:-1], axis=1)
    return np.array([np.bincount(group.ravel(), weights=each.ravel()) for each in segments])


def _by_core(wiring: Wiring, sums: np.ndarray, cores: int) -> np.ndarray:
    """Sums of message groups by the core that holds them, (1 or timesteps, cores)."""
    mine = wiring.source != HOST
    return np.array([np.bincount(wiring.source[mine], each[mine], cores) for each in sums])
