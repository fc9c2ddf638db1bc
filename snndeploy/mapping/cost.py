"""What the search for a tiling compares by: the time of events on a core, and how far a hop is.

The prices are those of `target.events`; an event that the target states no cost for is free here,
as it is in reports.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from snndeploy.connections.encoding import COUNTERS, Encoding
from snndeploy.network import Population
from snndeploy.target import Target
from snndeploy.target.events import nanoseconds, picojoules
from snndeploy.traffic.attention_work import runs, work_of

Amount = TypeVar("Amount", float, float | np.ndarray)

DEFAULT_RATE = 0.2  # spikes a neuron and step where no calibration tells
HOST_RATE = 1.0  # graded injections: most values are not zero
INTER_CHIP_HOPS = 30.0  # how far a link between chips is where it has no cost of its own
HOPS = ("hops_east_west", "hops_north_south", "hops_inter_chip")


@dataclass(frozen=True)
class Costs:
    """Time in ns of one event; what a hop along x, along y and between chips counts for."""

    access_ns: float
    update_ns: float
    spike_ns: float
    message_out_ns: float
    message_in_ns: float
    operation_ns: Mapping[Encoding, float]
    mac_ns: float
    addition_ns: float
    distance: tuple[float, float, float]

    @classmethod
    def of(cls, target: Target) -> Costs:
        return cls(
            **{name: nanoseconds(target, counter) for name, counter in _EVENTS.items()},
            operation_ns={way: nanoseconds(target, counter) for way, counter in COUNTERS.items()},
            distance=_distance(target),
        )

    def neuron_ns(self, rate: float) -> float:
        """Time of one neuron a step, its messages apart; every neuron is taken to be updated."""
        return self.access_ns + self.update_ns + rate * self.spike_ns

    def attention_ns(self, population: Population, timesteps: int) -> float:
        """Time of one neuron's share of attention on the chip, a step.

        A full window is worked off in one step, and counts a share in each: a budget that every
        step had to keep with all of it would cut finer than the sum of the steps gains by.
        """
        total = 0.0
        for attention in population.attention:
            if attention.unit == "chip":
                work = work_of(attention.graph)
                each = work.macs * self.mac_ns + work.additions * self.addition_ns
                total += each * runs(attention, timesteps) / timesteps
        return total / population.neurons


_EVENTS = {
    "access_ns": "neuron_accesses",
    "update_ns": "neuron_updates",
    "spike_ns": "spikes",
    "message_out_ns": "messages_out",
    "message_in_ns": "messages_in",
    "mac_ns": "attention_macs",
    "addition_ns": "attention_additions",
}


def _distance(target: Target) -> tuple[float, float, float]:
    """What a hop counts for where messages are to be kept short: energy, else time, else 1."""
    for price in (picojoules, nanoseconds):
        across, down, between = (price(target, counter) for counter in HOPS)
        if across > 0 and down > 0:
            return across, down, between or INTER_CHIP_HOPS * max(across, down)
    return 1.0, 1.0, INTER_CHIP_HOPS


def rate_of(population: Population, rates: Mapping[str, Amount]) -> Amount | float:
    """Messages that a neuron sends in a step to each core that it reaches."""
    if not population.neuron.sends:
        return 0.0
    default = DEFAULT_RATE if population.neuron.fires else 1.0
    return rates.get(population.name, default)
