"""A cycle cut at its comparator, read as a neuron's equation.

The comparator's answer is set to s = 0 and s = 1; what is left maps (states, inputs) to the margin
p above the threshold and to the next states.  With H the margin without input and X what the
inputs add,

    p[t] = H[t-1] + X[t]        H[t] = a0 p[t] + c0  without a spike,  a1 p[t] + c1  with one

must hold at random points (float64, to 1e-9).  A constant tau turns margins into membranes,
U = p + tau, so that U decays to zero: tau is the threshold, and a drift that is left when nothing
decays is an offset on X.  Gains are divided out; a threshold of its own for every channel becomes
a factor on the channel's input.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch

from snndeploy.errors import UnsupportedError
from snndeploy.frontend.capture.affine import (
    Line,
    NotAffine,
    clean,
    close,
    shifted,
    snap,
    the_one,
    unit_of,
)
from snndeploy.frontend.capture.counts import most_counted
from snndeploy.frontend.capture.cycles import Cycle
from snndeploy.frontend.capture.operators import short
from snndeploy.frontend.capture.probe import PROBES, Probe
from snndeploy.frontend.capture.rolled import Fixed, Rolled, Steps
from snndeploy.frontend.capture.step import Step, Values, is_lower_bound, is_rounding, strict
from snndeploy.neurons import equation_of

SEVERAL = 3  # spikes a step, where a neuron that may fire several is tried


@dataclass(frozen=True, eq=False)
class Fitted:
    """A neuron's parameters, and how its input and its margin are made.

    gains: factor on each input, over the channels (float64, shape of a step with ones).
    offset: what is added to X.  margin * scale + threshold is the membrane U.  delayed: steps
    that the input waits before the current.  negated: it fires where the comparison says no.
    unforced: a second comparison takes its own membrane for granted.
    """

    parameters: dict[str, Any]
    gains: dict[Rolled, Any]
    offset: Any
    scale: Any
    comparison: Steps
    delayed: int = 0
    negated: bool = False
    unforced: bool = False


def described(cycle: Cycle) -> str:
    """The method to paste, with what the neuron's one comparison says; the rest is an example."""
    threshold, fires_at = 1.0, "ge"
    known = len(cycle.comparisons) == 1 and strict(cycle.comparisons[0]) is not None
    if known:
        (main,) = cycle.comparisons
        fires_at = "gt" if strict(main) else "ge"
        other = main.arguments.get("other")
        number = other.value.uniform if isinstance(other, Fixed) else other
        threshold = number if isinstance(number, (int, float)) and number > 0 else threshold
    return (
        "describe it by a method of its module: def neuron_parameters(self): return"
        f" dict(threshold={float(threshold)!r}, decay=0.5, v_reset=0.0, fires_at={fires_at!r},"
        " reset='hard', time_axis=0)"
    ).replace("'", '"')


def _with(fitted: Fitted, **parameters: Any) -> Fitted:
    return replace(fitted, parameters={**fitted.parameters, **parameters})


def simulates(cycle: Cycle, step: Step, fitted: Fitted, steps: int = 48) -> bool:
    """The cycle, step by step on random input, fires as the equation does."""
    equation: Any = equation_of(fitted.parameters)
    generator = torch.Generator().manual_seed(1)
    shape = (PROBES, *step.shape)
    reach = equation.threshold * min(equation.most_spikes, SEVERAL)
    states, rest = step.first(PROBES), torch.zeros(shape, dtype=torch.float64)
    state, waiting = equation.rest(rest), [rest] * fitted.delayed
    for _ in range(steps):
        inputs = {node: torch.zeros(shape, dtype=torch.float64) for node in cycle.inputs}
        current = torch.zeros(shape, dtype=torch.float64) + fitted.offset
        for node, gain in fitted.gains.items():
            drawn = torch.randn(shape, generator=generator, dtype=torch.float64)
            part = reach * (0.3 + 0.8 * drawn) / len(fitted.gains)
            inputs[node] = torch.where(gain != 0, part / gain, 0.0)
            current = current + gain * inputs[node]
        waiting.append(current)
        current = waiting.pop(0)
        membrane = equation.charged(state, current)
        fired = equation.fires(state, membrane)
        values = step.run(states, inputs)
        for node in cycle.exits:
            if not bool((values[node].to(torch.float64) == fired.to(torch.float64)).all()):
                return False
        state = equation.after(state, current, membrane, fired)
        states = step.after(values)
    return True


def fit(cycle: Cycle) -> Fitted:
    """
    Raises:
        UnsupportedError: naming the state that is not affine, with a description to paste.
    """
    try:
        return _Fit(cycle).found()
    except NotAffine as why:
        raise refused(cycle, str(why), why.cure) from None


def refused(cycle: Cycle, why: str, cure: str = "") -> UnsupportedError:
    where = f" in module {cycle.module!r}" if cycle.module else ""
    return UnsupportedError(
        f"the neuron{where} is not one that the compiler reads from its loop: {why};"
        f" {cure or described(cycle)}",
        node=cycle.module,
        reason=why,
    )


class _Fit(Probe):
    def found(self) -> Fitted:
        self.negated = self._exits()
        gated = self._gated()
        direct = self._gains(gated)
        gains, current, delayed = self._current(direct)
        still, fired = self._lines(gated)
        fitted = self._equation(gains, current, delayed, still, fired)
        fitted = self._bounded(fitted)
        if is_rounding(self.main) and (most := self._most_spikes()) > 1:
            fitted = _with(fitted, most_spikes=most)
        ways = [fitted]
        refractory = 1 if gated else self._refractory() if self.held else 0
        if refractory:
            kinds = ("dropped",) if gated else ("integrated", "dropped")
            ways = [_with(fitted, refractory=refractory, refractory_input=k) for k in kinds]
        for way in ways:
            if not equation_of(way.parameters).faults() and simulates(self.cycle, self.step, way):
                return way
        if self.gates and not is_rounding(self.main):
            raise NotAffine(
                "it compares its membrane a second time, behind the reset, and what is left may"
                " still lie above the threshold: the next step then resets it once more",
                "reset it once for every spike (snnTorch: reset_delay=True), or to zero",
            )
        if self._adapts():
            raise NotAffine(
                "its spikes alone move a state that moves its threshold (it adapts)",
                "train it with a fixed threshold",
            )
        raise NotAffine(f"on random input it does not fire as {equation_of(ways[0].parameters)}")

    # lines

    def _check(self, one: Any, two: Any, why: str) -> None:
        if not close(one, two, self.size):
            raise NotAffine(why)

    def _gains(self, gated: bool) -> Values:
        """What a unit of every input adds to the margin."""
        inputs, states = self.cycle.inputs, self._quiet()
        base = self._margin(states, self._none(inputs))
        found: Values = {}
        for node in inputs:
            unit = {**self._none(inputs), node: self.zero + 1}
            found[node] = (self._margin(states, unit) - base)[0]
        states, given = self._states(fired=False if gated else None), self._inputs()
        summed = sum((found[n] * given[n] for n in inputs), torch.zeros_like(self.zero))
        without = self._margin(states, self._none(inputs))
        self._check(
            self._margin(states, given), without + summed, "its membrane is not a sum of its input"
        )
        if self.filter is None and all(bool((gain == 0).all()) for gain in found.values()):
            raise NotAffine("its input enters one step after it fires")
        return found

    def _current(self, direct: Values) -> tuple[Values, float, int]:
        """Gains of X behind the current's filter, its decay, and the steps that X waits."""
        if self.filter is None:
            return direct, 0.0, 0
        one, inputs = self.filter, self.cycle.inputs
        none = self._none(inputs)
        states = self._quiet()
        base = self._next(states, none, False)[one]
        decay = self._next({**states, one: self.zero + 1}, none, False)[one] - base
        weight = self._margin({**states, one: self.zero + 1}, none) - self._margin(states, none)
        taken = {
            node: (self._next(states, {**none, node: self.zero + 1}, False)[one] - base)[0]
            for node in inputs
        }
        random, given = self._states(), self._inputs()
        expected = decay * random[one] + sum(taken[n] * given[n] for n in inputs)
        self._check(self._next(random, given, False)[one], expected, "its current is not a filter")
        first = self.step.first(1)[one]
        if float(base.abs().max()) or float(first.abs().max()):
            raise NotAffine("its current does not start at zero")
        rate = the_one(decay, "decays of its current")
        if rate == 0:
            raise NotAffine("its current has no memory")
        factor = (weight / decay)[0]
        if all(close(factor * taken[n], direct[n], self.size) for n in inputs):
            return direct, rate, 0
        if all(bool((direct[n] == 0).all()) for n in inputs):
            return {n: weight[0] * taken[n] for n in inputs}, rate, 1
        raise NotAffine("a part of its input passes the current's filter, another does not")

    def _lines(self, gated: bool) -> tuple[Line, Line]:
        """H of the next step as a line of the margin, without a spike and with one."""
        states, inputs = self._states(fired=False if gated else None), self._inputs()
        margin, none = self._margin(states, inputs), self._none(self.cycle.inputs)
        found = []
        for fires in (False, True):
            after = self._without_current(self._next(states, inputs, fires))
            when = "after a spike" if fires else "without a spike"
            found.append(self._line(margin, self._margin(after, none), when))
        return found[0], found[1]

    def _line(self, margin: Any, held: Any, when: str) -> Line:
        held = torch.broadcast_to(held, margin.shape)
        around, mean = margin - margin.mean(0), held.mean(0)
        slope = (around * (held - mean)).sum(0) / (around * around).sum(0)
        start = mean - slope * margin.mean(0)
        why = f"what its membrane keeps {when} is no line of the membrane ({self._oddities()})"
        bent = self._bent(when == "after a spike")
        if bent:
            why += f": of its {len(self.cycle.delays)} states {bent}"
        self._check(held, slope * margin + start, why)
        return Line(clean(slope, 1.0), clean(start, self.size))

    # the equation

    def _equation(
        self,
        gains: Values,
        current: float,
        delayed: int,
        still: Line,
        fired: Line,
    ) -> Fitted:
        decay = the_one(still.slope, "decays")
        first = self._margin(
            self._without_current(self.step.first(1)), self._none(self.cycle.inputs)
        )[0]
        threshold, offset, reset, after = shifted(still, fired, first, decay, self.size)
        if bool((threshold <= 0).any()):
            raise NotAffine("its threshold does not lie above what it rests at")
        initial = first + threshold - offset
        used = {n: gain for n, gain in gains.items() if bool((gain != 0).any())}
        unit = unit_of(used, threshold)
        one = float((threshold * unit).reshape(-1)[0])
        parameters = {
            "kind": "lif",
            "threshold": snap(one, self.size),
            "fires_at": "gt" if strict(self.main) != self.negated else "ge",
            "decay": snap(decay, 1.0),
            "v_reset": snap(the_one(after * unit, "reset values"), self.size),
            "reset": reset,
        }
        more = {
            "current_decay": snap(current, 1.0),
            "initial": snap(the_one(initial * unit, "initial membranes"), self.size),
        }
        parameters |= {key: value for key, value in more.items() if value}
        return Fitted(
            parameters,
            {n: clean(gain * unit, 1.0) for n, gain in used.items()},
            clean(offset * unit, self.size),
            unit,
            self.main,
            delayed,
            self.negated,
            bool(self.gates) and not is_rounding(self.main),
        )

    # what is added to it

    def _bounded(self, fitted: Fitted) -> Fitted:
        """With the lower bound that the cycle's clamp is, as a membrane."""
        clamps = [node for node in self.cycle.order if self._bounds(node)]
        if not clamps:
            return fitted
        if len(clamps) > 1:
            raise NotAffine("it clips its membrane more than once")
        states, inputs = self._states(fired=False), self._inputs()
        quiet = {self.main: torch.full((PROBES, *self.step.shape), self.negated), **self.gates}
        values = self.step.run(states, inputs, quiet, opened=True)
        before = torch.broadcast_to(
            self.step.bounded(clamps[0], values), (PROBES, *self.step.shape)
        )
        margin = self._sign * self.step.margin(self.main, values)
        line = self._line(margin, before, "where it is clipped")
        if not bool((line.slope > 0).all()):
            raise NotAffine("it clips something else than its membrane")
        margin = (self.step.bound(clamps[0], values) - line.start) / line.slope
        bound = margin * fitted.scale + fitted.parameters["threshold"]
        return _with(fitted, lower_bound=snap(the_one(bound, "lower bounds"), self.size))

    def _bounds(self, node: Rolled) -> bool:
        """It bounds from below something else than a count."""
        if not is_lower_bound(node):
            return False
        if not is_rounding(self.main):
            return True
        forced = {self.main: self.zero, **self.gates}
        values = self.step.run(self._states(), self._inputs(), forced, opened=True)
        given = torch.as_tensor(self.step.bounded(node, values))
        return not bool((given == given[:1]).all())

    def _most_spikes(self) -> int:
        def said(count: int) -> Any:
            many = torch.full((PROBES, *self.step.shape), float(count), dtype=torch.float64)
            values = self.step.run(
                self._states(), self._inputs(), {self.main: many, **self.gates}, opened=True
            )
            return values[self.cycle.exits[0]]

        most = most_counted(said)
        if most is None:
            raise NotAffine("what others read of it is no count of its spikes")
        return most

    def _bent(self, fires: bool) -> str:
        """Which of several states is no affine map of states and inputs: half way between two
        points it is not half of what it is there."""
        if len(self.cycle.delays) < 2:
            return ""
        ends = [(self._states(), self._inputs()) for _ in range(2)]
        middle = [{n: (one[n] + two[n]) / 2 for n in one} for one, two in zip(*ends, strict=True)]
        found = [self._next(states, inputs, fires) for states, inputs in (*ends, middle)]
        one, two, half = found
        wrong = [d for d in half if not close((one[d] + two[d]) / 2, half[d], self.size)]
        sources = [delay.source for delay in self.cycle.delays if delay in wrong]
        names = [short(source.call.name) for source in sources if isinstance(source, Steps)]
        return f"that which {' and that which '.join(names)} gives is not affine" if names else ""

    def _oddities(self) -> str:
        """Operators of its cycle that are not linear."""
        plain = ("add", "sub", "mul", "_to_copy", "rsub", "neg", "div")
        names = [short(node.call.name) for node in self.cycle.order]  # type: ignore[attr-defined]
        return ", ".join(dict.fromkeys(name for name in names if name not in plain))

    def _adapts(self) -> bool:
        """A state that waits for spikes alone changes how far the membrane is from firing."""
        states, inputs = self._states(), self._inputs()
        margin = self._margin(states, inputs)
        moved = ({**states, one: states[one] + 1} for one in self.held)
        return any(bool((self._margin(one, inputs) != margin).any()) for one in moved)
