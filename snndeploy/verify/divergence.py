"""Where two runs of one network first differ, and what one population does on given spikes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from snndeploy.engines.activity import Activity
from snndeploy.engines.engine import run_network
from snndeploy.network import Injection, Network, Population

Spikes = Mapping[str, np.ndarray]
"""By population, (samples, timesteps, channels, height, width)."""


@dataclass(frozen=True)
class Divergence:
    """The first spike that differs: earliest step, then first population, then first neuron.

    Everything before it agrees, so what differs lies in this population itself.  membranes: before
    the reset, in real units (None: unknown).
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


def alone(network: Network, name: str) -> Network:
    """One population with its sources as inputs: depth 1, no delays (aligned time)."""
    sources = dict.fromkeys(p.source for p in network.incoming(name))
    inputs = [
        Population(f"from {s}", network.by_name[s].shape, "input",
                   payload_bound=network.by_name[s].payload_bound)
        for s in sources
    ]  # fmt: skip
    projections = tuple(
        replace(p, source=f"from {p.source}", delay=0) for p in network.incoming(name)
    )
    population = network.by_name[name]
    target = replace(population, depth=1 + population.depth - population.arrival)
    injections = (
        *(Injection(population.name, population.name, "spikes") for population in inputs),
        *network.injections_into(name),
    )
    return Network(network.timesteps, (*inputs, target), projections, injections)


def run_alone(
    network: Network, name: str, spikes: Spikes, injected: Mapping[int, np.ndarray]
) -> Activity:
    """What population `name` does when its sources send exactly `spikes`, membranes recorded.

    injected: by index into network.injections, as the host sent it.
    """
    part = alone(network, name)
    own = [i for i, injection in enumerate(network.injections) if injection.target == name]
    sources = list(dict.fromkeys(p.source for p in network.incoming(name)))
    values = {index: spikes[source].astype(np.int32) for index, source in enumerate(sources)}
    for place, index in enumerate(own, start=len(sources)):
        values[place] = injected[index]
    samples = len(next(iter(values.values()))) if values else 1
    kept = [name] if network.by_name[name].kind != "relay" else []
    return run_network(part, values, record=[name], record_membranes=kept, samples=samples)


def membrane_before_reset(
    network: Network, name: str, spikes: Spikes, injected: Mapping[int, np.ndarray]
) -> np.ndarray:
    """V of every step before the spike's reset, integers (samples, T, C, H, W).

    The population runs once with a threshold out of reach from the carried membrane of the true
    run: input series first, then V[t] = carried(V[t-1] after reset) + input[t].
    """
    true = run_alone(network, name, spikes, injected)
    series = input_series(network, name, spikes, injected)
    population = network.by_name[name]
    after = true.membranes[name].astype(np.int64)
    keep = 4096 - population.membrane_decay
    carried = np.zeros_like(after)
    carried[:, 1:] = np.sign(after[:, :-1]) * ((np.abs(after[:, :-1]) * keep) >> 12)
    return carried + series


def input_series(
    network: Network, name: str, spikes: Spikes, injected: Mapping[int, np.ndarray]
) -> np.ndarray:
    """What enters v at every step (a << 6, plus bias), integers (samples, T, C, H, W)."""
    population = network.by_name[name]
    refined = tuple(a for a in population.attention if a.at == "current")
    integrating = replace(population, kind="integrator", membrane_decay=4096, attention=refined)
    populations = tuple(integrating if p.name == name else p for p in network.populations)
    part = replace(network, populations=populations)
    return run_alone(part, name, spikes, injected).membranes[name].astype(np.int64)
