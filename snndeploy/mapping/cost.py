"""What the events of a step cost on a target: the prices that mappings are compared by.

An event that the target states no cost for is free here; reports say so, the search does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from snndeploy.network import Population
from snndeploy.target import Target

DEFAULT_RATE = 0.2  # spikes a neuron and step where no calibration tells
HOST_RATE = 1.0  # graded injections: most values are not zero
INTER_CHIP_HOPS = 30.0  # hops that a link between chips counts for where its cost is not stated


@dataclass(frozen=True)
class Costs:
    """Time in ns and energy in pJ of one event."""

    access_ns: float
    update_ns: float
    spike_ns: float
    message_out_ns: float
    message_in_ns: float
    synapse_ns: float
    access_pj: float
    update_pj: float
    spike_pj: float
    message_out_pj: float
    message_in_pj: float
    synapse_pj: float
    hop_pj: tuple[float, float, float]  # east-west, north-south, between chips
    hop_ns: tuple[float, float, float]
    static_w: float  # a chip

    @classmethod
    def of(cls, target: Target) -> Costs:
        def cost(key: str) -> float:
            return target.number(key) if target.has(key) else 0.0

        events = {
            f"{short}_{unit}": cost(f"{section}.{name}_{unit}")
            for section, unit in (("timing", "ns"), ("energy", "pj"))
            for short, name in _EVENTS.items()
        }
        return cls(
            **events,
            hop_pj=_hops(target, "energy", "pj"),
            hop_ns=_hops(target, "timing", "ns"),
            static_w=cost("energy.static_power_per_chip_w"),
        )  # type: ignore[arg-type]

    def neuron_ns(self, rate: float) -> float:
        """Time of one neuron a step, its messages apart; every neuron is taken to be updated."""
        return self.access_ns + self.update_ns + rate * self.spike_ns

    @property
    def has_times(self) -> bool:
        return any((self.access_ns, self.update_ns, self.message_in_ns, self.synapse_ns))

    @property
    def distance(self) -> tuple[float, float, float]:
        """What a hop counts for where messages are to be kept short: energy, else time, else 1."""
        for hop in (self.hop_pj, self.hop_ns):
            if hop[0] > 0 and hop[1] > 0:
                return hop
        return (1.0, 1.0, INTER_CHIP_HOPS)


_EVENTS = {
    "access": "neuron_access",
    "update": "neuron_update",
    "spike": "spike_generation",
    "message_out": "message_out",
    "message_in": "message_in",
    "synapse": "synaptic_operation",
}


def _hops(target: Target, section: str, unit: str) -> tuple[float, float, float]:
    """Cost of a hop along x, along y, and between chips."""
    stated = [
        target.number(key) if target.has(key) else 0.0
        for key in (f"{section}.hop_east_west_{unit}", f"{section}.hop_north_south_{unit}")
    ]
    between = f"{section}.inter_chip_hop_{unit}"
    away = target.number(between) if target.has(between) else INTER_CHIP_HOPS * max(stated)
    return stated[0], stated[1], away


def rate_of(population: Population, rates: Mapping[str, float]) -> float:
    """Messages that a neuron sends in a step to each core that it reaches."""
    if population.kind == "integrator":
        return 0.0
    default = 1.0 if population.kind == "relay" else DEFAULT_RATE
    return float(rates.get(population.name, default))
