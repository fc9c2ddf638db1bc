"""Take channels out of a network: slices of weights, biases and injections, and the record of it.

Every pass of `reduce.py` decides a *place* for each channel of a population, an int array
(channels,): its own index to stay, another channel's index where that one has the same spikes, or
SILENT, STEADY, UNREAD (`network.Reduced`).  What the removed channels contributed is the pass's
to account for; here they only disappear.

A grouped convolution (depthwise, identity of a shortcut) keeps its form only when a group goes as
a whole, sources and targets; `whole_groups` puts channels back where that does not hold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from snndeploy.connections import Connection
from snndeploy.network import (
    SILENT,
    STEADY,
    UNREAD,
    Injection,
    Network,
    Population,
    Projection,
    Reduced,
)

Places = Mapping[str, np.ndarray]
WORDS = {SILENT: "never fires", STEADY: "always fires", UNREAD: "is read by nobody"}
TWIN = "fires as another channel"
COPY = "copies its source"


@dataclass(frozen=True)
class Removal:
    """Channels that went from one population; proved: for every input, not only for data seen."""

    population: str
    reason: str
    channels: int
    neurons: int
    proved: bool


@dataclass(frozen=True)
class Skip:
    """Channels that could go by what they do, but stay; `reason` says why."""

    population: str
    channels: int
    reason: str


@dataclass(frozen=True, eq=False)
class Pass:
    """What one pass made of a network."""

    network: Network
    removals: tuple[Removal, ...] = ()
    skips: tuple[Skip, ...] = ()


def staying(population: Population) -> np.ndarray:
    """The places of a population that loses nothing."""
    return np.arange(population.shape[0], dtype=np.int32)


def fixed(network: Network, population: Population) -> str:
    """Why no channel of a population may go ('' when they may)."""
    if not population.neuron.on_chip or not population.neuron.sends:
        return f"{population.neuron.name} populations keep their channels"
    if any(readout.population == population.name for readout in network.readouts):
        return "the readout keeps its classes"
    return "attention reads all of its channels" if population.attention else ""


def grouped(network: Network, name: str) -> bool:
    """True when a grouped convolution starts or ends at the population."""
    both = (*network.incoming(name), *network.outgoing(name))
    return any(p.connection.groups > 1 for p in both)


def whole_groups(network: Network, places: Places) -> tuple[dict[str, np.ndarray], list[Skip]]:
    """The places with channels put back whose group does not go as a whole."""
    found = {p.name: places.get(p.name, staying(p)).copy() for p in network.populations}
    wanted = {name: _gone(place) for name, place in found.items()}
    ends = [p for p in network.projections if p.connection.groups > 1]
    changed = True
    while changed:
        changed = False
        for projection in ends:
            groups = projection.connection.groups
            sides = [found[name].reshape(groups, -1) for name in _ends(projection)]
            gone = [_gone(found[name]).reshape(groups, -1) for name in _ends(projection)]
            some = gone[0].any(axis=1) | gone[1].any(axis=1)
            split = some & ~(gone[0].all(axis=1) & gone[1].all(axis=1))
            for side in sides:
                own = np.arange(side.size, dtype=np.int32).reshape(side.shape)
                side[split] = own[split]
            changed = changed or bool(split.any())
    skips = [
        Skip(name, count, "a grouped convolution would need its other channels to go as well")
        for name, place in found.items()
        if (count := int((wanted[name] & ~_gone(place)).sum()))
    ]
    return found, skips


def _ends(projection: Projection) -> tuple[str, ...]:
    """Source and target, once each."""
    return projection.source, projection.target


def _gone(place: np.ndarray) -> np.ndarray:
    gone: np.ndarray = place != np.arange(len(place))
    return gone


def drop(network: Network, places: Places, proved: bool) -> Pass:
    """The network without the channels whose place is elsewhere; their work must be done already.

    A population without channels goes with its projections and injections.
    """
    places = {name: place for name, place in places.items() if _gone(place).any()}
    if not places:
        return Pass(network)
    kept = {name: np.flatnonzero(~_gone(place)) for name, place in places.items()}
    empty = {name for name, channels in kept.items() if not len(channels)}
    slicer = _Slicer(network, kept)
    reduced = Network(
        network.timesteps,
        tuple(slicer.population(p) for p in network.populations if p.name not in empty),
        tuple(
            slicer.projection(p) for p in network.projections if not empty.intersection(_ends(p))
        ),
        tuple(slicer.injection(i) for i in network.injections if i.target not in empty),
        network.readout,
        network.notes,
        _records(network, places, kept),
        network.heads,
    )
    return Pass(reduced, _removals(network, places, proved))


def _removals(network: Network, places: Places, proved: bool) -> tuple[Removal, ...]:
    found = []
    for name, place in places.items():
        plane = network.by_name[name].neurons // len(place)
        gone = place[_gone(place)].tolist()
        counts = Counter(WORDS.get(channel, TWIN) for channel in gone)
        found += [Removal(name, why, n, n * plane, proved) for why, n in counts.items()]
    return tuple(found)


def _records(
    network: Network, places: Places, kept: Mapping[str, np.ndarray]
) -> tuple[Reduced, ...]:
    """The network's records after these removals: places within the new, shorter channels."""
    moved = {name: _renumbered(place, kept[name]) for name, place in places.items()}
    found = {entry.population: entry for entry in network.reduced}
    for name in moved:
        if name not in found:
            population = network.by_name[name]
            found[name] = Reduced(
                name, population.origin, population.shape, name, staying(population)
            )
    return tuple(
        replace(entry, place=_composed(entry.place, moved[entry.carrier]),
                carrier=entry.carrier if len(kept[entry.carrier]) else "")
        if entry.carrier in moved
        else entry
        for entry in found.values()
    )  # fmt: skip


def _renumbered(place: np.ndarray, kept: np.ndarray) -> np.ndarray:
    rank = np.zeros(len(place), dtype=np.int32)
    rank[kept] = np.arange(len(kept))
    return np.where(place >= 0, rank[np.maximum(place, 0)], place).astype(np.int32)


def _composed(first: np.ndarray, then: np.ndarray) -> np.ndarray:
    return np.where(first >= 0, then[np.maximum(first, 0)], first).astype(np.int32)


class _Slicer:
    """The parts of a network with some channels only; a shared connection stays shared."""

    def __init__(self, network: Network, kept: Mapping[str, np.ndarray]) -> None:
        self.network, self.kept = network, kept
        self.connections: dict[tuple[int, bytes | None, bytes | None], Connection] = {}

    def population(self, population: Population) -> Population:
        if population.name not in self.kept:
            return population
        channels = self.kept[population.name]
        bias = None if population.bias is None else population.bias[channels]
        return replace(population, shape=(len(channels), *population.shape[1:]), bias=bias)

    def projection(self, projection: Projection) -> Projection:
        source = self.kept.get(projection.source)
        target = self.kept.get(projection.target)
        if source is None and target is None:
            return projection
        connection = projection.connection
        # shared where two projections share a connection and lose the same channels
        key = (id(connection), _key(source), _key(target))
        if key not in self.connections:
            self.connections[key] = connection.kept(source, target)
        delays = projection.axonal_delay
        if delays is not None and source is not None:
            shape = self.network.by_name[projection.source].shape
            delays = np.asarray(delays).reshape(shape)[source].reshape(-1)
        return replace(projection, connection=self.connections[key], axonal_delay=delays)

    def injection(self, injection: Injection) -> Injection:
        channels = self.kept.get(injection.target)
        if channels is None or injection.offset is None:
            return injection
        shape = self.network.by_name[injection.target].shape
        return replace(injection, offset=np.broadcast_to(injection.offset, shape)[channels])


def _key(channels: np.ndarray | None) -> bytes | None:
    return None if channels is None else channels.tobytes()
