"""What a model is driven with while it is compared with its graph.

The first input is an ordinary one.  Where a layer then stays silent, or does nothing but fire, its
wiring would be compared on zeros alone: further inputs are larger, denser or sparser, and the
module's neurons send random spikes instead of their own, so that every layer gets some.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch

from snndeploy.graph import Node

WANTED_RATE = (0.01, 0.6)  # spikes a neuron and step at which a comparison says most


class Drive(NamedTuple):
    """One input: how large real values are, how many of the binary ones are 1, the largest
    integer; and how often neurons send spikes instead of their own (None: they send their own)."""

    amplitude: float
    density: float
    largest: int
    spike_rate: float | None = None


DRIVES = (
    Drive(1.0, 0.5, 3),
    Drive(1.0, 0.5, 3, spike_rate=0.3),
    Drive(8.0, 0.9, 15, spike_rate=0.6),
    Drive(64.0, 0.1, 255, spike_rate=0.1),
    Drive(1000.0, 1.0, 1, spike_rate=0.9),
)


def driving_input(example: Any, signal: str, drive: Drive) -> np.ndarray:
    """One random input, float32, of the kind that the model takes."""
    generator = np.random.default_rng(0)
    shape = tuple(example.shape)
    if signal == "real":
        return (drive.amplitude * generator.normal(size=shape)).astype(np.float32)
    if signal == "binary":
        return (generator.random(shape) < drive.density).astype(np.float32)
    return generator.integers(0, drive.largest + 1, size=shape).astype(np.float32)


class RandomSpikes:
    """What neurons send instead of their own spikes."""

    def __init__(self, rate: float) -> None:
        self.rate, self.generator = rate, torch.Generator().manual_seed(2)

    def like(self, spikes: Any, most: int) -> Any:
        """Random spikes of that shape and type, up to `most` a step."""
        fired = torch.rand(spikes.shape, generator=self.generator) < self.rate
        count = torch.randint(1, most + 1, spikes.shape, generator=self.generator)
        return (fired * count).to(spikes.dtype)


@dataclass
class Liveliness:
    """Spikes a neuron and step of each layer, by label, input by input."""

    rates: dict[str, list[float]] = field(default_factory=dict)

    def add(self, node: Node, spikes: Any) -> None:
        rate = float((spikes != 0).double().mean())
        self.rates.setdefault(node.label, []).append(rate)

    def enough(self) -> bool:
        """Has every layer fired, at a rate that says most or at least, from the second input on,
        not everywhere?"""
        return all(
            any(WANTED_RATE[0] <= rate <= WANTED_RATE[1] for rate in rates)
            or (len(rates) > 1 and any(0 < rate < 1 for rate in rates))
            for rates in self.rates.values()
        )

    def silent(self) -> list[str]:
        """Layers that never fired."""
        return [label for label, rates in self.rates.items() if not any(rates)]

    def always_firing(self) -> list[str]:
        """Layers that fired, and of which no neuron ever stayed silent."""
        return [label for label, rates in self.rates.items() if any(rates) and set(rates) <= {0, 1}]
