"""Chip energy: every counted event times the target's cost, plus static power times time.

Each line keeps the mark of its cost (published, fitted, inherited, assumed ...), so that a total
can say what it is made of.  Static power runs on every chip of the layout for the sample's latency.
The encoder's arithmetic on the host is not part of this (`costs`); the bytes that cross the host
link are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from snndeploy.engines.activity import Traffic
from snndeploy.layout.layout import Layout
from snndeploy.target import MARKS, Target
from snndeploy.target.events import EVENTS, STATIC_POWER, Event, charged
from snndeploy.timing.analytic import Timing

PICO = 1e-12


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
    """Joules of each of `samples`.

    absent: in words, what happened but has no stated cost.
    scope: what the price of a synaptic operation holds, 'incremental' or 'all-in'
    (`Target.synaptic_operation_scope`).
    """

    samples: int
    lines: tuple[EnergyLine, ...]
    absent: tuple[str, ...] = ()
    scope: str = "incremental"

    @property
    def total(self) -> np.ndarray:
        """Joules, float64 (samples,)."""
        total = np.zeros(self.samples)
        for line in self.lines:
            total += line.joules
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
        said = ", ".join(parts) or ("no event" if self.lines else "no event has a stated cost")
        return said + "".join(f"; not counted: {text}" for text in self.absent)


def chip_energy(traffic: Traffic, timing: Timing, layout: Layout, target: Target) -> Energy:
    """Energy of every sample of a run."""
    lines = [*_event_lines(traffic, target), *_static_line(timing, layout, target)]
    absent = [
        f"{event.name}, for which {target.name} states no cost"
        for event in EVENTS
        if not (target.has(event.energy) or event.part_of or target.includes(event.energy))
        and _counted(traffic, event, target).any()
    ]
    if not (target.has(STATIC_POWER) or target.includes(STATIC_POWER)):
        absent.append(f"static power, which {target.name} does not state")
    scope = target.synaptic_operation_scope
    return Energy(len(traffic.spikes), tuple(lines), tuple(absent), scope)


def _event_lines(traffic: Traffic, target: Target) -> Iterator[EnergyLine]:
    for name in dict.fromkeys(event.name for event in EVENTS):
        events = [event for event in EVENTS if event.name == name]
        key = events[0].energy
        if not target.has(key) or target.includes(key):
            continue
        counts = np.sum([_counted(traffic, event, target) for event in events], axis=0)
        cost = target.quantity(key)
        joules = counts * (PICO * target.number(key))
        yield EnergyLine(name, key, counts, joules, cost.mark, cost.source)


def _counted(traffic: Traffic, event: Event, target: Target) -> np.ndarray:
    """Events of a sample charged on this line, float64 (samples,)."""
    counts = charged(vars(traffic), event, "energy", target)
    return counts.reshape(len(counts), -1).sum(axis=1).astype(np.float64)


def _static_line(timing: Timing, layout: Layout, target: Target) -> Iterator[EnergyLine]:
    if target.has(STATIC_POWER) and not target.includes(STATIC_POWER):
        events = layout.chips * timing.latency_seconds
        joules = events * target.number(STATIC_POWER)
        cost = target.quantity(STATIC_POWER)
        yield EnergyLine("static power", STATIC_POWER, events, joules, cost.mark, cost.source)
