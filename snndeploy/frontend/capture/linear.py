"""A linear filter of a loop: a synaptic current, or an integrator that never fires.

    z[t] = decay z[t-1] + sum k_i x_i[t] + k        o[t] = c z[t-1] + sum d_i x_i[t] + d

With y[t] = decay y[t-1] + X[t], a node o of it is y itself where X = sum d_i x_i + d and
c k_i = decay d_i; where it reads no input of its own step (all d are 0) it is y one step later.
"""

from __future__ import annotations

from typing import Any

import torch

from snndeploy.errors import UnsupportedError
from snndeploy.frontend.capture.affine import clean, close, snap
from snndeploy.frontend.capture.cycles import Filter
from snndeploy.frontend.capture.probe import PROBES
from snndeploy.frontend.capture.rolled import Delay, Rolled
from snndeploy.frontend.capture.step import Step, Values


class Integrator:
    """Raises UnsupportedError where the filter is not one that the compiler knows."""

    def __init__(self, part: Filter) -> None:
        self.part = part
        self.step = Step(part)
        self.generator = torch.Generator().manual_seed(0)
        self.zero = torch.zeros((1, *self.step.shape), dtype=torch.float64)
        self.state, self.others = self._one_state()
        if self.state.initial.uniform != 0:
            raise self._refused("it does not start at zero")
        self.base = self._run(self.zero, self._none())
        unit = self._run(self.zero + 1, self._none())
        self.slopes = {node: unit[node] - self.base[node] for node in unit}
        self.taken = {node: self._of_input(node) for node in part.inputs}
        self._check()
        slope = self.slopes[self._source()].reshape(-1)
        if not close(slope, slope[0], 1.0):
            raise self._refused("its channels have decays of their own")
        self.decay = snap(float(slope[0]), 1.0)

    def is_sum(self, node: Rolled) -> bool:
        """o = y, and not y of the step before."""
        return bool(any((gain != 0).any() for gain in self._direct(node).values()))

    def gains(self, node: Rolled) -> tuple[Values, Any]:
        """Factor on each input, and the offset, of X."""
        direct, source = self._direct(node), self._source()
        slope = self.slopes[node] if node in self.slopes else self.zero + 1
        behind = {n: slope * self.taken[n][source] for n in self.part.inputs}
        offset = slope * self.base[source]
        if not self.is_sum(node):
            return {n: clean(gain[0], 1.0) for n, gain in behind.items()}, clean(offset[0], 1.0)
        if any(not close(behind[n], self.decay * direct[n], 1.0) for n in direct):
            raise self._refused("it adds its input a second time")
        own = self.base[node]
        if not close(offset, self.decay * own, 1.0):
            raise self._refused("it adds a constant to its result")
        return {n: clean(gain[0], 1.0) for n, gain in direct.items()}, clean(own[0], 1.0)

    def _one_state(self) -> tuple[Delay, dict[Delay, tuple[Any, Any]]]:
        """The state, and (slope, offset) of those that are a line of it, as v_leak - v is of v."""
        delays = sorted(self.part.delays, key=lambda delay: delay.initial.uniform != 0)
        inputs = {node: self._random() for node in self.part.inputs}
        values = self._stepped({delay: self._random() for delay in delays}, inputs)
        after = {d: values[d.source].expand(PROBES, *self.step.shape) for d in delays}  # type: ignore[index]
        first = self.step.first(1)
        state, *rest = delays
        others = {}
        for other in rest:
            slope = (after[other][1] - after[other][0]) / (after[state][1] - after[state][0])
            offset = after[other][:1] - slope * after[state][:1]
            lines = ((after[other], after[state]), (first[other], first[state]))
            if not all(close(one, slope * two + offset, 1.0) for one, two in lines):
                raise self._refused(f"it remembers {len(delays)} values")
            others[other] = slope, offset
        return state, others

    def _random(self) -> Any:
        shape = (PROBES, *self.step.shape)
        return torch.randn(shape, generator=self.generator, dtype=torch.float64)

    def _source(self) -> Rolled:
        assert self.state.source is not None
        return self.state.source

    def _direct(self, node: Rolled) -> Values:
        if isinstance(node, Delay):
            return {n: self.zero for n in self.part.inputs}
        return {n: self.taken[n][node] for n in self.part.inputs}

    def _none(self) -> Values:
        return {node: self.zero for node in self.part.inputs}

    def _run(self, state: Any, inputs: Values) -> Values:
        others: Values = {
            other: slope * state + offset for other, (slope, offset) in self.others.items()
        }
        return self._stepped({**others, self.state: state}, inputs)

    def _stepped(self, states: Values, inputs: Values) -> Values:
        try:
            values = self.step.run(states, inputs)
        except Exception:
            raise self._refused("layers lie on its way back to itself") from None
        return {node: values[node] for node in self.part.order}

    def _of_input(self, node: Rolled) -> Values:
        found = self._run(self.zero, {**self._none(), node: self.zero + 1})
        return {key: found[key] - self.base[key] for key in found}

    def _check(self) -> None:
        state, given = self._random(), {node: self._random() for node in self.part.inputs}
        found = self._run(state, given)
        for node, value in found.items():
            expected = self.base[node] + self.slopes[node] * state
            expected = expected + sum(self.taken[n][node] * given[n] for n in given)
            if not close(value, expected, 1.0):
                raise self._refused("it is not linear")

    def _refused(self, why: str) -> UnsupportedError:
        where = f" in module {self.part.module!r}" if self.part.module else ""
        return UnsupportedError(
            f"the loop over time{where} holds values that no neuron fires from, and is not one"
            f" leaky sum: {why}; write it as y = decay * y + x, from zero",
            node=self.part.module,
            reason=why,
        )
