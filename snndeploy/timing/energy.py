"""Chip energy: every counted event times the target's cost, plus static power times time.

Each line keeps the mark of its cost (published, fitted, inherited, assumed ...), so that a total
can say what it is made of.  All synaptic operations are charged as dense ones.  Static power runs
on every chip of the layout for the sample's latency.  The encoder's arithmetic on the host is not
part of this (`costs`); the bytes that cross the host link are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from snndeploy.engines.activity import Traffic
from snndeploy.layout.layout import Layout
from snndeploy.target import MARKS, Target
from snndeploy.timing.analytic import Timing

PICO = 1e-12

LOCAL_HOP = "energy.tile_local_hop_pj"  # where absent, it is part of message_out_pj
STATIC_POWER = "energy.static_power_per_chip_w"

MAC = "energy.mac_pj"

COSTS = {  # line: (counter of Traffic, cost)
    "neuron access": ("neuron_accesses", "energy.neuron_access_pj"),
    "neuron update": ("neuron_updates", "energy.neuron_update_pj"),
    "spike generation": ("spikes", "energy.spike_generation_pj"),
    "message out": ("messages_out", "energy.message_out_pj"),
    "message in": ("messages_in", "energy.message_in_pj"),
    "synaptic operation": ("synaptic_operations", "energy.synaptic_operation_pj"),
    "multiply-accumulate": ("multiply_accumulates", MAC),
    "addition in attention": ("attention_additions", "energy.synaptic_operation_pj"),
    "hop east-west": ("hops_east_west", "energy.hop_east_west_pj"),
    "hop north-south": ("hops_north_south", "energy.hop_north_south_pj"),
    "hop between chips": ("hops_inter_chip", "energy.inter_chip_hop_pj"),
    "message within a tile": ("local_messages", LOCAL_HOP),
    "host bytes in": ("host_bytes_in", "host.io_pj_per_byte"),
    "host bytes out": ("host_bytes_out", "host.io_pj_per_byte"),
}


@dataclass(frozen=True, eq=False)
class EnergyLine:
    """One kind of event: events and joules, float64 (samples,), at the cost `key` of the target.

    `events` of static power are chip-seconds.
    """

    name: str
    key: str
    events: np.ndarray
    joules: np.ndarray
    mark: str
    source: str


@dataclass(frozen=True, eq=False)
class Energy:
    """Joules a sample; `absent` says in words what happened but has no stated cost."""

    lines: tuple[EnergyLine, ...]
    absent: tuple[str, ...] = ()

    @property
    def total(self) -> np.ndarray:
        """Joules, float64 (samples,)."""
        total: np.ndarray = np.sum([line.joules for line in self.lines], axis=0)
        return total

    @property
    def breakdown(self) -> dict[str, float]:
        """Mean joules a sample by line."""
        return {line.name: float(np.mean(line.joules)) for line in self.lines}

    @property
    def shares(self) -> dict[str, float]:
        """Fraction of the total under each mark, from published to assumed; zeros left out."""
        joules = {mark: 0.0 for mark in MARKS}
        for line in self.lines:
            joules[line.mark] += float(line.joules.sum())
        total = sum(joules.values())
        return {mark: value / total for mark, value in joules.items() if value > 0}

    @property
    def statement(self) -> str:
        """What the total is made of, in words: "38 % fitted, 62 % assumed (static power)"."""
        parts = []
        for mark, share in self.shares.items():
            names = [line.name for line in self.lines if line.mark == mark and line.joules.any()]
            text = f"{share:.0%} {mark}" if share >= 0.005 else f"under 1% {mark}"
            parts.append(f"{text} ({', '.join(names)})" if mark in MARKS[-2:] else text)
        said = ", ".join(parts) or "no event"
        return said + "".join(f"; not counted: {text}" for text in self.absent)


def chip_energy(traffic: Traffic, timing: Timing, layout: Layout, target: Target) -> Energy:
    """Energy of every sample of a run."""
    lines = [*_event_lines(traffic, target), *_static_line(timing, layout, target)]
    absent = [
        f"{name}, for which {target.name} states no cost"
        for name, (counter, key) in COSTS.items()
        if key != LOCAL_HOP
        and not (target.has(key) or target.includes(key))
        and _events(traffic, counter, target).any()
    ]
    if not target.has(STATIC_POWER):
        absent.append(f"static power, which {target.name} does not state")
    return Energy(tuple(lines), tuple(absent))


def _event_lines(traffic: Traffic, target: Target) -> Iterator[EnergyLine]:
    for name, (counter, key) in COSTS.items():
        if target.has(key) and not target.includes(key):
            counts = _events(traffic, counter, target)
            events = counts.reshape(len(counts), -1).sum(axis=1).astype(np.float64)
            joules = events * (PICO * target.number(key))
            cost = target.quantity(key)
            yield EnergyLine(name, key, events, joules, cost.mark, cost.source)


def _events(traffic: Traffic, counter: str, target: Target) -> np.ndarray:
    """A counter; where multiplications have a price, graded synapses are multiply-accumulates."""
    if counter == "multiply_accumulates":
        graded = traffic.graded_operations if target.has(MAC) else 0
        return traffic.attention_macs + graded
    if counter == "synaptic_operations" and target.has(MAC):
        return traffic.synaptic_operations - traffic.graded_operations
    found: np.ndarray = getattr(traffic, counter)
    return found


def _static_line(timing: Timing, layout: Layout, target: Target) -> Iterator[EnergyLine]:
    if target.has(STATIC_POWER):
        events = layout.chips * timing.latency_seconds
        joules = events * target.number(STATIC_POWER)
        cost = target.quantity(STATIC_POWER)
        yield EnergyLine("static power", STATIC_POWER, events, joules, cost.mark, cost.source)
