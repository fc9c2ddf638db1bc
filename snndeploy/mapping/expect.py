"""Expectation: the traffic, time and energy of a layout at given firing rates.

The counts are those of a simulation whose spikes are spread evenly over a population's neurons and
steps: each neuron that shares a *message group* (see `wiring.py`) sends `rate` messages a step to
each of the group's cores.  Every neuron is taken to be updated in each step of its window.

    busy(core, step) = max(time to send, time to receive) of the populations whose window covers it
    step             = max(busy cores, busiest link, fixed step) + barrier
    latency          = sum over the timesteps + depth chip steps of a sample
    energy           = timesteps * events * their costs + chips * static power * latency
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse

from snndeploy.layout.layout import Layout
from snndeploy.layout.routes import Mesh, crosses_chips
from snndeploy.layout.wiring import HOST, Wiring, injection_wiring, population_wiring
from snndeploy.mapping.cost import HOST_RATE, Costs, rate_of
from snndeploy.network import Network, Population
from snndeploy.target import Target

NANO, PICO = 1e-9, 1e-12


@dataclass(frozen=True, eq=False)
class Loads:
    """What one population causes in a step, at its rate.

    send_ns, receive_ns: float64 (cores,).  flow: csr (cores + 1, cores), messages from each core
    to each core; the last row is the host.  pj: energy of its events, hops apart.
    """

    depth: int
    send_ns: np.ndarray
    receive_ns: np.ndarray
    flow: sparse.csr_array
    pj: float


@dataclass(frozen=True, eq=False)
class Expectation:
    """Of one sample: seconds, joules; of one step when all populations work: messages and hops.

    busy_ns: of the busiest core in the slowest step, without barrier and links; link_ns: of the
    busiest link.  flow: csr
    (cores + 1, cores), messages a step from each core to each core; the last row is the host.
    """

    latency_seconds: float
    energy_joules: float
    busy_ns: float
    link_ns: float
    messages: float
    spikes: float
    hop_pj: float
    hops: float
    flow: sparse.csr_array

    @property
    def energy_delay(self) -> float:
        return self.energy_joules * self.latency_seconds


def expect(
    network: Network,
    layout: Layout,
    target: Target,
    rates: Mapping[str, float],
    *,
    links: bool = True,
) -> Expectation:
    """What a sample is expected to take and cost; without `links`, as if messages took no time."""
    costs = Costs.of(target)
    loads = [_population_loads(network, layout, p, costs, rates) for p in network.populations]
    loads += [
        _injection_loads(layout, network.by_name[injection.target], costs)
        for injection in network.injections
        if injection.mode == "graded"
    ]
    empty = sparse.csr_array((layout.cores + 1, layout.cores))
    flow = sum((load.flow for load in loads), start=empty)
    hops, hop_pj, link_ns = _on_the_way(flow, layout, costs)
    busy = _busy_ns(network, layout, loads)
    steps = np.maximum(busy, max(link_ns if links else 0.0, _fixed_ns(target))) + _barrier_ns(
        layout, target
    )
    latency = NANO * float(steps.sum())
    dynamic = network.timesteps * (sum(load.pj for load in loads) + hop_pj)
    return Expectation(
        latency_seconds=latency,
        energy_joules=PICO * dynamic + costs.static_w * layout.chips * latency,
        busy_ns=float(busy.max(initial=0.0)),
        link_ns=link_ns,
        messages=float(flow.sum()),
        spikes=sum(p.neurons * rate_of(p, rates) for p in network.populations),
        hop_pj=hop_pj,
        hops=hops,
        flow=flow,
    )


def _population_loads(
    network: Network,
    layout: Layout,
    population: Population,
    costs: Costs,
    rates: Mapping[str, float],
) -> Loads:
    wiring = population_wiring(network, layout, population)
    rate = rate_of(population, rates)
    held = np.zeros(layout.cores)
    for tile in layout.tiles_of(population.name):
        held[tile.core] += tile.neurons
    operations = rate * (_group_sizes(wiring, wiring.synapse_group) @ wiring.synapses)
    flow = _flow(wiring, rate, layout.cores)
    sent = np.asarray(flow.sum(axis=1)).ravel()[:-1]
    arrived = np.asarray(flow.sum(axis=0)).ravel()
    neuron_pj = costs.access_pj + costs.update_pj + rate * costs.spike_pj
    return Loads(
        depth=population.depth,
        send_ns=held * costs.neuron_ns(rate) + sent * costs.message_out_ns,
        receive_ns=arrived * costs.message_in_ns + operations * costs.synapse_ns,
        flow=flow,
        pj=float(
            held.sum() * neuron_pj
            + sent.sum() * costs.message_out_pj
            + arrived.sum() * costs.message_in_pj
            + operations.sum() * costs.synapse_pj
        ),
    )


def _injection_loads(layout: Layout, population: Population, costs: Costs) -> Loads:
    flow = _flow(injection_wiring(layout, population), HOST_RATE, layout.cores)
    arrived = np.asarray(flow.sum(axis=0)).ravel()
    return Loads(
        depth=population.depth,
        send_ns=np.zeros(layout.cores),
        receive_ns=arrived * costs.message_in_ns,
        flow=flow,
        pj=float(arrived.sum()) * costs.message_in_pj,
    )


def _group_sizes(wiring: Wiring, group: np.ndarray) -> np.ndarray:
    """Neurons of each group, float64 (groups,)."""
    weights = np.broadcast_to(np.diff(wiring.channels)[:, None], group.shape)
    sizes: np.ndarray = np.bincount(group.ravel(), weights=weights.ravel())
    return sizes


def _flow(wiring: Wiring, rate: float, cores: int) -> sparse.csr_array:
    """Messages a step between cores, csr (cores + 1, cores)."""
    table = wiring.destinations.tocoo()
    values = rate * _group_sizes(wiring, wiring.message_group)[table.row]
    source = np.where(wiring.source == HOST, cores, wiring.source)[table.row]
    return sparse.coo_array((values, (source, table.col)), shape=(cores + 1, cores)).tocsr()


def _on_the_way(flow: sparse.csr_array, layout: Layout, costs: Costs) -> tuple[float, float, float]:
    """Hops of a step, their energy in pJ, and the time in ns of the busiest link."""
    entries = flow.tocoo()
    router = np.concatenate([layout.positions[:, :2], np.zeros((1, 2), dtype=np.int32)])
    start, stop = router[entries.row], router[entries.col]
    mesh = Mesh(layout.mesh[0] * layout.board[0], layout.mesh[1] * layout.board[1])
    cells, signs = mesh.differences(start, stop)
    used = cells >= 0
    ends = np.bincount(
        cells[used],
        weights=(entries.data[:, None] * signs)[used],
        minlength=4 * mesh.plane,
    )
    loads = mesh.loads(ends)
    mask = np.ones_like(loads, dtype=bool)
    links, load = mesh.links(mask), loads[mask]
    kind = np.where(crosses_chips(links, layout.mesh), 2, np.where(links[:, 2] != 0, 0, 1))
    pj, ns = (np.array(hop)[kind] for hop in (costs.hop_pj, costs.hop_ns))
    return float(load.sum()), float(load @ pj), float((load * ns).max(initial=0.0))


def _busy_ns(network: Network, layout: Layout, loads: list[Loads]) -> np.ndarray:
    """Time of the busiest core in every chip step of a sample, float64 (steps,)."""
    begins: dict[int, np.ndarray] = {}
    for load in loads:
        both = np.stack([load.send_ns, load.receive_ns])
        begins[load.depth] = begins.get(load.depth, 0.0) + both
    busy = np.zeros((2, layout.cores))
    steps = np.zeros(network.chip_steps)
    for step in range(network.chip_steps):
        if step in begins:
            busy = busy + begins[step]
        if step - network.timesteps in begins:
            busy = busy - begins[step - network.timesteps]
        steps[step] = busy.max(initial=0.0)
    return steps


def _barrier_ns(layout: Layout, target: Target) -> float:
    if target.has("timing.barrier_tiles") and target.has("timing.barrier_ns"):
        return target.barrier_ns(layout.mapped_routers, layout.chips)
    return 0.0


def _fixed_ns(target: Target) -> float:
    key = "timing.fixed_step_ns"
    return target.number(key) if target.has(key) else 0.0
