"""Traffic by population and chip step: who causes it, beside `Traffic`, which says where it falls.

Counts are sums over the samples, in the chip steps of `Traffic`, and add up to it exactly:

    spikes, neuron_updates        of the population's neurons
    messages_out                  of its spikes
    host_messages                 that the host sends for it: the spikes of an input, graded values
    hops, hops_inter_chip         of its messages and of those that the host sends for it
    synaptic_operations, synapses_met    in the synapses that lead *into* it, in the step that sends
    host_bytes_in, host_bytes_out the host's messages, its biases, its answer

`spikes` of an input population are the host's, and stay zero here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from snndeploy.layout.layout import Layout
from snndeploy.layout.wiring import HOST, Wiring
from snndeploy.network import Network, Population

MESSAGE_COUNTS = ("spikes", "messages_out", "host_messages", "hops", "hops_inter_chip",
                  "host_bytes_in")  # fmt: skip
LAYER_COUNTS = (*MESSAGE_COUNTS, "neuron_updates", "synaptic_operations", "synapses_met",
                "host_bytes_out")  # fmt: skip


@dataclass(frozen=True, eq=False)
class Shares:
    """What a spike of each group adds to the counts of populations.

    population: whose messages they are.
    begin: chip step of the first of them.
    messages: int64 (MESSAGE_COUNTS, message groups).
    synapses: int64 (synapse groups,) by target population: synapses met there.
    counts: what these synapses add to, of LAYER_COUNTS.
    """

    population: str
    begin: int
    messages: np.ndarray
    synapses: dict[str, np.ndarray]
    counts: tuple[str, ...]


class LayerTraffic:
    """Adds up the counts of every population."""

    def __init__(self, network: Network) -> None:
        self.timesteps = network.timesteps
        self.depth = {p.name: p.depth for p in network.populations}
        shape = (len(LAYER_COUNTS), network.chip_steps)
        self._counts = {p.name: np.zeros(shape, dtype=np.int64) for p in network.populations}

    def add(self, name: str, population: str, step: int, count: int) -> None:
        """Add to one chip step."""
        self._counts[population][LAYER_COUNTS.index(name), step] += count

    def add_each_step(self, name: str, population: str, counts: np.ndarray | int) -> None:
        """Add to the aligned steps of a population; counts: (timesteps,) or the same for all."""
        begin = self.depth[population]
        steps = slice(begin, begin + self.timesteps)
        self._counts[population][LAYER_COUNTS.index(name), steps] += counts

    def add_sums(self, shares: Shares, sums: np.ndarray) -> None:
        """Add spikes by group, int64 (groups, samples * timesteps): message groups come first."""
        by_step = sums.reshape(len(sums), -1, self.timesteps).sum(axis=1)
        groups = shares.messages.shape[1]
        steps = slice(shares.begin, shares.begin + self.timesteps)
        own = self._counts[shares.population]
        own[: len(MESSAGE_COUNTS), steps] += shares.messages @ by_step[:groups]
        rows = [LAYER_COUNTS.index(name) for name in shares.counts]
        for target, synapses in shares.synapses.items():
            self._counts[target][rows, steps] += synapses @ by_step[groups:]

    def add_operations(self, target: str, begin: int, counts: np.ndarray) -> None:
        """Add operations into a population, int64 (timesteps,), from chip step `begin`."""
        steps = slice(begin, begin + self.timesteps)
        self._counts[target][LAYER_COUNTS.index("synaptic_operations"), steps] += counts

    def result(self) -> dict[str, dict[str, np.ndarray]]:
        """Counts by population and name, int64 (chip steps,)."""
        return {
            population: dict(zip(LAYER_COUNTS, counts.copy(), strict=True))
            for population, counts in self._counts.items()
        }


def message_shares(wiring: Wiring, layout: Layout, host_message_bytes: int) -> np.ndarray:
    """What a spike of each message group adds, int64 (MESSAGE_COUNTS, message groups)."""
    from_host = wiring.source == HOST
    sent = np.diff(wiring.destinations.indptr).astype(np.int64)
    group, destination = wiring.destinations.nonzero()
    begin = np.where(from_host[:, None], 0, layout.positions[wiring.source, :2])[group]
    end = layout.positions[destination, :2]
    hops = np.abs(end - begin).sum(axis=1)
    crossed = np.abs(end // layout.mesh - begin // layout.mesh).sum(axis=1)
    return np.stack(
        [
            ~from_host,
            sent * ~from_host,
            sent * from_host,
            _sum_by(group, hops, len(sent)),
            _sum_by(group, crossed, len(sent)),
            host_message_bytes * sent * from_host,
        ]
    ).astype(np.int64)


def _sum_by(group: np.ndarray, values: np.ndarray, groups: int) -> np.ndarray:
    found = np.zeros(groups, dtype=np.int64)
    np.add.at(found, group, values)
    return found


def split_by_target(
    network: Network, population: Population, group_of: np.ndarray
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Cut synapse groups until each meets one number of synapses in every target population.

    A group is of neurons that trigger the same number of synapses at each *core*; where one core
    holds two targets, they may still divide it differently.

    group_of: int (segments, positions).
    Returns the new groups int32 (segments, positions), the old group of each, and the synapses of
    each by target population.
    """
    reach = _reach_by_target(network, population)
    kept = group_of.astype(np.int64)
    for synapses in reach.values():
        kept = kept * (int(synapses.max(initial=0)) + 1) + synapses
        kept = np.unique(kept, return_inverse=True)[1].reshape(kept.shape)
    _, first = np.unique(kept, return_index=True)
    position = first % kept.shape[1]
    shares = {target: synapses[position] for target, synapses in reach.items()}
    return kept.astype(np.int32), group_of.ravel()[first], shares


def _reach_by_target(network: Network, population: Population) -> dict[str, np.ndarray]:
    """Synapses that a spike at each position meets in each target population (positions,)."""
    found: dict[str, np.ndarray] = {}
    for projection in network.outgoing(population.name):
        synapses = projection.connection.fan_out(population.shape).ravel()
        found[projection.target] = found.get(projection.target, 0) + synapses
    return found


def merge(parts: Iterable[dict[str, dict[str, np.ndarray]]]) -> dict[str, dict[str, np.ndarray]]:
    """The counts of several runs of one network, added up."""
    total: dict[str, dict[str, np.ndarray]] = {}
    for part in parts:
        for population, counts in part.items():
            into = total.setdefault(population, {})
            for name, values in counts.items():
                into[name] = into.get(name, 0) + values
    return total
