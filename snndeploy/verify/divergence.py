"""Where two runs of one network first differ, and what one population does on given spikes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from snndeploy.engines.activity import Activity
from snndeploy.engines.engine import run_network
from snndeploy.engines.replay import Replay, listening
from snndeploy.network import Injection, Network, Population, Projection
from snndeploy.neurons import MEMBRANE_MAXIMUM, Input

Spikes = Mapping[str, np.ndarray]
"""By population, (samples, timesteps, channels, height, width)."""


@dataclass(frozen=True)
class Divergence:
    """The first spike that differs: earliest step, then first population, then first neuron.

    Everything before it agrees, so what differs lies in this population itself.  membranes: before
    the reset, in real units (None: unknown).  threshold: where the expected side fires; the found
    one fires above `found_above`, where that is another number (integers: M - 1 for ">= M").
    """

    population: str
    sample: int
    step: int
    neuron: tuple[int, int, int]
    expected_spike: int
    found_spike: int
    expected_membrane: float | None = None
    found_membrane: float | None = None
    threshold: float | None = None
    found_above: float | None = None
    cause: str = ""

    def __str__(self) -> str:
        channel, row, column = self.neuron
        text = (
            f"{self.population}, neuron (channel {channel}, y {row}, x {column}), step"
            f" {self.step}, sample {self.sample}: expected {self.expected_spike}, found"
            f" {self.found_spike}"
        )
        known = [m for m in (self.expected_membrane, self.found_membrane) if m is not None]
        if known:
            word = "membranes" if len(known) == 2 else "membrane"
            values = " and ".join(f"{value:.9g}" for value in known)
            text += f"; {word} {values} at threshold {self.threshold:.9g}"
            if self.found_above is not None:
                text += f" (the chip fires above {self.found_above:.9g})"
        return f"{text}; cause: {self.cause}" if self.cause else text


def first_divergence(network: Network, expected: Spikes, found: Spikes) -> Divergence | None:
    """The first difference over all populations that both runs recorded."""
    best: tuple[int, int, int, tuple[int, ...], str] | None = None
    for order, population in enumerate(network.populations):
        name = population.name
        if name not in expected or name not in found:
            continue
        differs = np.argwhere(expected[name] != found[name])
        if not len(differs):
            continue
        steps = differs[:, 1]
        first = differs[np.lexsort((*differs.T[2:][::-1], differs[:, 0], steps))[0]]
        candidate = (int(first[1]), order, int(first[0]), tuple(map(int, first[2:])), name)
        if best is None or candidate[:3] < best[:3]:
            best = candidate
    if best is None:
        return None
    step, _, sample, neuron, name = best
    place = (sample, step, *neuron)
    return Divergence(
        name, sample, step, (neuron[0], neuron[1], neuron[2]),
        int(expected[name][place]), int(found[name][place]),
    )  # fmt: skip


def unpack(packed: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Spikes that `np.packbits` packed, as uint8 of `shape`."""
    return np.unpackbits(packed, count=int(np.prod(shape))).reshape(shape)


def alone(network: Network, name: str, spikes: Spikes) -> Network:
    """One population with its sources as inputs: depth 1, no delays of paths (aligned time).

    Its own spikes come a step later than they were sent.
    """
    sources = dict.fromkeys(p.source for p in network.incoming(name))
    inputs = [
        Population(f"from {s}", network.by_name[s].shape, Input(_widest(spikes[s])))
        for s in sources
    ]  # fmt: skip
    projections = tuple(
        replace(p, source=f"from {p.source}", delay=0, axonal_delay=_own_delay(network, p))
        for p in network.incoming(name)
    )
    population = network.by_name[name]
    target = replace(population, depth=1 + population.depth - population.arrival)
    injections = (
        *(Injection(population.name, population.name, "spikes") for population in inputs),
        *network.injections_into(name),
    )
    return Network(network.timesteps, (*inputs, target), projections, injections)


def _own_delay(network: Network, projection: Projection) -> np.ndarray | None:
    """By source neuron, what of a projection's delay is not its path's."""
    if projection.source != projection.target:
        return projection.axonal_delay
    own = 0 if projection.axonal_delay is None else np.asarray(projection.axonal_delay)
    neurons = network.by_name[projection.source].neurons
    return np.zeros(neurons, dtype=np.int64) + own + projection.delay + 1


def run_alone(
    network: Network, name: str, spikes: Spikes, injected: Mapping[int, np.ndarray]
) -> Activity:
    """What population `name` does when its sources send exactly `spikes`, membranes recorded.

    injected: by index into network.injections, as the host sent it.
    """
    part = alone(network, name, spikes)
    own = [i for i, injection in enumerate(network.injections) if injection.target == name]
    sources = list(dict.fromkeys(p.source for p in network.incoming(name)))
    values = {index: spikes[source].astype(np.int32) for index, source in enumerate(sources)}
    for place, index in enumerate(own, start=len(sources)):
        values[place] = injected[index]
    samples = len(next(iter(values.values()))) if values else 1
    kept = [name] if network.by_name[name].neuron.has_membrane else []
    return run_network(part, values, record=[name], record_membranes=kept, samples=samples)


def _widest(payloads: np.ndarray) -> int:
    """The bound of an input that sends these; 1 where they are spikes."""
    wide = payloads.astype(np.int64)
    spikes = wide.min(initial=0) >= 0 and wide.max(initial=0) <= 1
    return 1 if spikes else max(2, int(np.abs(wide).max()))


@dataclass(frozen=True, eq=False)
class Replayed:
    """One population's run by the neuron's plain step, integers (samples, T, C, H, W).

    before: the membrane in front of the test, units of v (of a relay: the payload, not clipped).
    sent: payloads.
    """

    before: np.ndarray
    sent: np.ndarray


def replayed(
    network: Network,
    name: str,
    spikes: Spikes,
    injected: Mapping[int, np.ndarray],
    largest: int = MEMBRANE_MAXIMUM,
) -> Replayed:
    """What population `name` does on its sources' spikes, with its membranes before the reset.

    largest: where the membrane saturates.
    """
    population = network.by_name[name]
    w = input_series(network, name, spikes, injected)
    replay = Replay(population, len(w), largest)
    steps = [replay.step(w[:, tau]) for tau in range(w.shape[1])]
    return Replayed(
        np.stack([step.before for step in steps], axis=1),
        np.stack([step.payload for step in steps], axis=1),
    )


def input_series(
    network: Network, name: str, spikes: Spikes, injected: Mapping[int, np.ndarray]
) -> np.ndarray:
    """What enters v at every step (u + bias), integers (samples, T, C, H, W)."""
    populations = tuple(listening(p, name) if p.name == name else p for p in network.populations)
    part = replace(network, populations=populations)
    return run_alone(part, name, spikes, injected).membranes[name].astype(np.int64)
