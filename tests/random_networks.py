"""Random small networks for property tests: a plain generator and a hypothesis strategy.

    network = random_network(seed)                      # reproducible from an integer
    injected = random_injected(network, seed, samples=2)
    @given(networks())                                  # shrinks structure, not weights
    def test(case: Case): case.network, case.injected

Both walk the same code (`network_builder.py`): a `Chooser` answers every structural question, a
numpy generator fills the arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from network_builder import Builder, Features

from snndeploy.network import Network

__all__ = ["Case", "Features", "networks", "random_injected", "random_network"]


@dataclass
class RandomChooser:
    rng: np.random.Generator

    def integer(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))


@dataclass
class DrawingChooser:
    draw: Any

    def integer(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))


@dataclass
class Case:
    """A network with host values; prints as what matters for a failing test."""

    network: Network
    injected: dict[int, np.ndarray]
    samples: int

    def __repr__(self) -> str:
        lines = [f"T={self.network.timesteps} samples={self.samples}"]
        lines += [
            f"  {p.name} {p.shape} depth {p.depth} {p.neuron}" for p in self.network.populations
        ]
        lines += [
            f"  {p.source} -> {p.target} << {p.exponent} delay {p.delay} "
            f"{type(p.connection).__name__}{p.connection.weight.shape}"
            for p in self.network.projections
        ]
        lines += [f"  host -> {i.target} {i.mode} << {i.exponent}" for i in self.network.injections]
        return "\n".join(lines)


def _generator(seed: int | np.random.Generator) -> np.random.Generator:
    return seed if isinstance(seed, np.random.Generator) else np.random.default_rng(seed)


def random_network(seed: int | np.random.Generator, features: Features | None = None) -> Network:
    """A network of up to a few hundred neurons, the same for the same seed."""
    rng = _generator(seed)
    return Builder(RandomChooser(rng), rng, features or Features()).network()


def random_injected(
    network: Network, seed: int | np.random.Generator, samples: int = 2, rate: float = 0.4
) -> dict[int, np.ndarray]:
    """Host values (int32) for every injection, inside its minimum and maximum.

    rate: the fraction of values that are not zero.
    """
    rng = _generator(seed)
    injected = {}
    for index, injection in enumerate(network.injections):
        target = network.by_name[injection.target]
        shape: tuple[int, ...] = target.shape
        low, high = injection.minimum, injection.maximum
        if injection.mode != "bias":
            shape = (network.timesteps, *shape)
        shape = (samples, *shape)
        if injection.mode == "spikes":
            low = max(low, -target.neuron.payload_bound) if target.neuron.sends_graded else 1
            high = min(high, target.neuron.payload_bound)
        values = rng.integers(low, high + 1, shape)
        injected[index] = np.where(rng.random(shape) < rate, values, 0).astype(np.int32)
    return injected


@st.composite
def networks(draw: Any, features: Features | None = None, samples: int = 3) -> Case:
    """Cases of a random network with host values for 1..samples samples."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    network = Builder(DrawingChooser(draw), rng, features or Features()).network()
    count = draw(st.integers(1, samples))
    return Case(network, random_injected(network, rng, count), count)
