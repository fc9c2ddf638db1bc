"""Currents that drive a neuron's membrane to where its description can be told from others.

The current of a step is  X = U* - U(X = 0)  by the stated equation, in float64, where U* is the
membrane wanted: MARGIN below or above what fires, far above, far below, or wherever silence, noise
or the same current again take it.  Rounding in float32 moves a membrane by about 1e-6 of itself, so
no spike depends on it; what came nearer to the threshold than half the margin is not `sure`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from snndeploy.graph import Node
from snndeploy.neurons import Equation, equation_of
from snndeploy.ops import neuron as neuron_op

MARGIN = 1e-3  # of the threshold
FARTHEST = 50.0  # thresholds

BELOW, ABOVE, FAR_ABOVE, UNDER, NEGATIVE, SILENT, NOISE = range(7)
RANDOM, STEADY, QUIET, HELD, CONSTANT = range(5)


@dataclass(frozen=True, eq=False)
class Driven:
    """Currents (float32), and by step what the equation makes of them.

    sure: no membrane so far was within rounding of what fires.
    """

    x: Any
    membranes: Any
    spikes: Any
    sure: Any


def driven(node: Node, shape: list[int], generator: Any, scale: Any = 1.0) -> Driven:
    """Sequences of every kind, one a neuron; scale: what the module's currents are multiplied by
    before they are those of the equation."""
    neuron, axis = equation_of(node.attributes), neuron_op.time_axis(node)
    x = torch.zeros(shape)
    membranes = torch.zeros(shape, dtype=torch.float64)
    spikes, sure = torch.zeros_like(membranes), torch.zeros(shape, dtype=torch.bool)
    plan = _Plan(neuron, x.select(axis, 0).shape, generator)
    zero = torch.zeros_like(membranes.select(axis, 0))
    state, fine, before = neuron.rest(zero), torch.ones_like(sure.select(axis, 0)), zero
    for step in range(shape[axis]):
        current = plan.current(step, neuron.charged(state, zero), before)
        for _ in range(2):  # once more where it came too near by chance
            given = (current / scale).float()
            now = given.double() * scale
            membrane = neuron.charged(state, now)
            near = nearness(neuron, membrane) < 0.5 * MARGIN * neuron.threshold
            current = torch.where(near, now - MARGIN * neuron.threshold, now)
        fired = neuron.fires(state, membrane)
        fine = fine & ~near
        for whole, part in ((x, given), (membranes, membrane), (spikes, fired), (sure, fine)):
            whole.select(axis, step).copy_(part)
        state, before = neuron.after(state, now, membrane, fired), now
    return Driven(x, membranes, spikes, sure)


def nearness(neuron: Equation, membrane: Any) -> Any:
    """How far a membrane is from the nearest level at which the number of spikes changes."""
    level = (membrane / neuron.threshold).round().clamp(1, neuron.payload_bound)
    return (membrane - level * neuron.threshold).abs()


class _Plan:
    """Which membrane each neuron is driven to in each step."""

    def __init__(self, neuron: Equation, shape: Any, generator: Any) -> None:
        self.neuron, self.shape, self.generator = neuron, shape, generator
        self.mode = self._among(5)

    def _among(self, count: int) -> Any:
        return torch.randint(count, self.shape, generator=self.generator)

    def _uniform(self, low: float, high: float) -> Any:
        values = torch.rand(self.shape, generator=self.generator, dtype=torch.float64)
        return low + (high - low) * values

    def current(self, step: int, base: Any, before: Any) -> Any:
        """The step's currents, where without any the membranes would be `base`."""
        kind = self._among(7)
        rare = self._uniform(0, 1) < 0.3
        kind = torch.where((self.mode == STEADY) & ~rare, ABOVE, kind)
        kind = torch.where((self.mode == QUIET) & ~rare, SILENT, kind)
        low = torch.where(self._uniform(0, 1) < 0.5, NEGATIVE, BELOW)
        kind = torch.where((self.mode == HELD) & ~rare, low, kind)
        if step == 0:
            kind = torch.where(self.mode == CONSTANT, NOISE, kind)
        wanted = self._wanted(kind) - base
        free = self._noise()
        found = torch.where(kind == NOISE, free, torch.where(kind == SILENT, 0.0, wanted))
        same = (self.mode == CONSTANT) & ~rare if step else torch.zeros_like(rare)
        return torch.where(same, before, found)

    def _noise(self) -> Any:
        drawn = torch.randn(self.shape, generator=self.generator, dtype=torch.float64)
        return self.neuron.threshold * (0.5 + drawn)

    def _wanted(self, kind: Any) -> Any:
        """Membranes of each kind, real."""
        most = self.neuron.payload_bound
        level = torch.randint(1, most + 1, self.shape, generator=self.generator).double()
        wide = torch.exp(self._uniform(-3.0, float(torch.tensor(FARTHEST).log())))
        values = {
            BELOW: level - MARGIN,
            ABOVE: level + MARGIN,
            FAR_ABOVE: most + wide,
            UNDER: self._uniform(0.0, 0.99),
            NEGATIVE: -wide,
        }
        found = torch.zeros(self.shape, dtype=torch.float64)
        for which, value in values.items():
            found = torch.where(kind == which, value, found)
        return found * self.neuron.threshold
