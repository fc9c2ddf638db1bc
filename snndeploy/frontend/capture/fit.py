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

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from snndeploy.errors import UnsupportedError
from snndeploy.frontend.capture.counts import counted_gates, most_counted
from snndeploy.frontend.capture.cycles import Cycle
from snndeploy.frontend.capture.operators import short
from snndeploy.frontend.capture.rolled import Delay, Rolled, Steps
from snndeploy.frontend.capture.step import Step, Values, is_lower_bound, is_rounding, strict
from snndeploy.neurons import equation_of

AGREEMENT = 1e-9  # of the largest magnitude, in float64
PROBES = 64
LONGEST_REFRACTORY = 1000
SEVERAL = 3  # spikes a step, where a neuron that may fire several is tried
DIGITS = 12  # of a parameter that is a shorter number within rounding


@dataclass(frozen=True, eq=False)
class Fitted:
    """A neuron's parameters, and how its input and its margin are made.

    gains: factor on each input, over the channels (float64, shape of a step with ones).
    offset: what is added to X.  margin * scale + threshold is the membrane U.  delayed: steps
    that the input waits before the current.  negated: it fires where the comparison says no.
    """

    parameters: dict[str, Any]
    gains: dict[Rolled, Any]
    offset: Any
    scale: Any
    comparison: Steps
    delayed: int = 0
    negated: bool = False


DESCRIBED = (
    "describe it by a method of its module: def neuron_parameters(self): return dict(threshold=1.0,"
    ' decay=0.5, v_reset=0.0, fires_at="ge", reset="hard", time_axis=0)'
)


class NotAffine(Exception):
    """Why a cycle is no neuron that the compiler knows, and what else to do than to describe it."""

    def __init__(self, why: str, cure: str = "") -> None:
        super().__init__(why)
        self.cure = cure


def _with(fitted: Fitted, **parameters: Any) -> Fitted:
    return replace(fitted, parameters={**fitted.parameters, **parameters})


@dataclass(eq=False)
class _Line:
    """y = slope p + start over the probes, for every channel."""

    slope: Any
    start: Any


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
        f" {cure or DESCRIBED}",
        node=cycle.module,
        reason=why,
    )


class _Fit:
    def __init__(self, cycle: Cycle) -> None:
        self.cycle, self.step = cycle, Step(cycle)
        self.generator = torch.Generator().manual_seed(0)
        self.size = self._size()
        self.zero = torch.zeros((1, *self.step.shape), dtype=torch.float64)
        self.held: Values = {}
        self.bits: dict[Delay, tuple[Any, Any]] = {}
        self.negated = False  # it fires where its comparator says no
        self.gates: Values = {}
        self.main = self._main()
        self.bits = self._bits()
        self.held = self._counters()
        self.filter = self._filter()
        self.filtered = set(self.cycle.filtered) if self.filter is not None else set()

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
        if gated or self.held:
            refractory = 1 if gated else self._refractory()
            kinds = ("dropped",) if gated else ("integrated", "dropped")
            ways = [_with(fitted, refractory=refractory, refractory_input=k) for k in kinds]
        for way in ways:
            if not equation_of(way.parameters).faults() and simulates(self.cycle, self.step, way):
                return way
        if self._adapts():
            raise NotAffine(
                "its spikes alone move a state that moves its threshold (it adapts)",
                "train it with a fixed threshold",
            )
        raise NotAffine(f"on random input it does not fire as {equation_of(ways[0].parameters)}")

    def _adapts(self) -> bool:
        """A state that waits for spikes alone changes how far the membrane is from firing."""
        states, inputs = self._states(), self._inputs()
        margin = self._margin(states, inputs)
        moved = ({**states, one: states[one] + 1} for one in self.held)
        return any(bool((self._margin(one, inputs) != margin).any()) for one in moved)

    # points

    def _size(self) -> float:
        known = [value for value in self.step.constants.values() if torch.is_tensor(value)]
        known += [value for value in self.step.first(1).values()]
        numbers = [abs(v) for v in self.step.constants.values() if isinstance(v, (int, float))]
        literals = [
            abs(v)
            for node in self.cycle.order
            for v in node.call.arguments.values()  # type: ignore[attr-defined]
            if isinstance(v, (int, float)) and not isinstance(v, bool)
        ]
        largest = [float(v.abs().max()) for v in known if v.is_floating_point()]
        return max([1.0, *largest, *numbers, *literals])

    def _random(self) -> Any:
        shape = (PROBES, *self.step.shape)
        return self.size * torch.randn(shape, generator=self.generator, dtype=torch.float64)

    def _states(self, *, fired: bool | None = None) -> Values:
        """Random ones; fired: whether it did in the step before, for those that hold it."""
        found: Values = {}
        coin = self._random() > 0
        yes = coin if fired is None else torch.full_like(coin, fired)
        for delay in self.cycle.delays:
            found[delay] = self._random()
            if delay in self.held:
                found[delay] = self.held[delay].expand_as(found[delay])
            elif delay in self.bits:
                found[delay] = torch.where(yes, self.bits[delay][1], self.bits[delay][0])
        return found

    def _none(self, nodes: Any) -> Values:
        return {node: self.zero for node in nodes}

    def _inputs(self) -> Values:
        return {node: self._random() for node in self.cycle.inputs}

    def _margin(self, states: Values, inputs: Values) -> Any:
        quiet = torch.zeros_like(next(iter([*states.values(), *inputs.values(), self.zero])))
        forced = {self.main: quiet.bool(), **self.gates}
        values = self.step.run(states, inputs, forced, opened=True)
        return self._sign * self.step.margin(self.main, values)

    @property
    def _sign(self) -> float:
        return -1.0 if self.negated else 1.0

    def _next(self, states: Mapping[Any, Any], inputs: Values, fires: bool) -> Values:
        first = next(iter([*states.values(), *inputs.values()]))
        forced = {self.main: torch.full(first.shape, fires != self.negated), **self.gates}
        values = self.step.run(states, inputs, forced, opened=True)
        return self.step.after(values)

    # what is what

    def _main(self) -> Steps:
        """The comparator that its input reaches in the same step; the others gate it."""
        found = [node for node in self.cycle.comparisons if self._sees_input(node)]
        counts = [node for node in found if is_rounding(node)]
        if len(counts) == 1:
            self.gates = counted_gates(found, counts[0])
            found = counts
        if len(found) != 1:
            raise NotAffine(
                f"{len(found)} comparisons a step decide whether it fires",
                "train it with one threshold, or let every threshold be a neuron of its own",
            )
        (main,) = found
        if strict(main) is None:
            raise NotAffine("heaviside gives neither 0 nor 1 at the threshold")
        return main

    def _sees_input(self, node: Steps) -> bool:
        states = self._states()
        forced = {
            other: torch.zeros((PROBES, *self.step.shape), dtype=torch.bool)
            for other in self.cycle.comparisons
        }
        margins = [
            self.step.margin(node, self.step.run(states, self._inputs(), forced, opened=True))
            for _ in range(2)
        ]
        return not bool((torch.as_tensor(margins[0] == margins[1])).all())

    def _bits(self) -> dict[Delay, tuple[Any, Any]]:
        """States that hold whether it fired in the step before, and their values for no and yes."""
        found = {}
        states = {delay: self._random() for delay in self.cycle.delays}
        inputs = self._inputs()
        ends = [self._next(states, inputs, fires) for fires in (False, True)]
        for delay in self.cycle.delays:
            no, yes = (torch.broadcast_to(end[delay], (PROBES, *self.step.shape)) for end in ends)
            alone = bool((no == no[:1]).all()) and bool((yes == yes[:1]).all())
            if alone and bool((no != yes).all()):
                found[delay] = no[:1], yes[:1]
        return found

    def _counters(self) -> Values:
        """States that neither input nor membrane changes, as they start: they wait."""
        states, inputs = self._states(), self._inputs()
        moved: set[Delay] = set()
        while True:
            other = {
                d: self._random() if d in moved or d in self.cycle.filtered else v
                for d, v in states.items()
            }
            changed = set(moved)
            for fires in (False, True):
                one = self._next(states, inputs, fires)
                two = self._next(other, self._inputs(), fires)
                changed |= {d for d in one if not bool((one[d] == two[d]).all())}  # type: ignore[misc]
            if changed == moved:
                break
            moved = changed
        first = self.step.first(1)
        known = moved | set(self.bits) | set(self.cycle.filtered)
        return {d: first[d] for d in self.cycle.delays if d not in known}

    def _gated(self) -> bool:
        """Nothing reaches its membrane in the step behind a spike."""
        states = self._states(fired=True)
        one, two = (self._margin(states, self._inputs()) for _ in range(2))
        return bool(self.bits) and bool((one == two).all())

    def _refractory(self) -> int:
        """Steps behind a spike in which its comparator's yes does not count."""
        states = self.step.first(1)
        inputs, yes = self._none(self.cycle.inputs), {self.main: (self.zero == 0) != self.negated}
        for waited in range(-1, LONGEST_REFRACTORY):
            values = self.step.run(states, inputs, yes)
            fired = [float(values[node].reshape(-1)[0]) for node in self.cycle.exits]
            if waited >= 0 and all(fired):
                return waited
            if waited < 0 and not all(fired):
                break
            states = self.step.after(values)
        raise NotAffine("its refractory time has no end")

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
        return _with(fitted, lower_bound=snap(_one(bound, "lower bounds"), self.size))

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

    def _oddities(self) -> str:
        """Operators of its cycle that are not linear."""
        plain = ("add", "sub", "mul", "_to_copy", "rsub", "neg", "div")
        names = [short(node.call.name) for node in self.cycle.order]  # type: ignore[attr-defined]
        return ", ".join(dict.fromkeys(name for name in names if name not in plain))

    def _filter(self) -> Delay | None:
        """The state of a current before the membrane; without other states it is the membrane."""
        own = [d for d in self.cycle.delays if d not in self.cycle.filtered]
        if not own or not self.cycle.filtered:
            if len(self.cycle.filtered) > 1:
                raise NotAffine("its input passes more than one filter")
            return None
        if len(self.cycle.filtered) > 1:
            raise NotAffine("its input passes more than one filter")
        return self.cycle.filtered[0]

    def _without_current(self, states: Values) -> Values:
        """Without current, and what waits as at the start."""
        found = {}
        for delay, value in states.items():
            value = self.zero.expand_as(value) if delay in self.filtered else value
            found[delay] = self.held.get(delay, value)
        return found

    def _exits(self) -> bool:
        """What others read must be its spikes; do they say no where the comparator says yes?"""
        states, inputs = self._states(), self._inputs()
        first = next(iter([*states.values(), *inputs.values()]))
        found = set()
        for answer in (False, True):
            forced = {self.main: torch.full(first.shape, answer), **self.gates}
            values = self.step.run(states, inputs, forced)
            for node in self.cycle.exits:
                said = values[node].to(torch.float64)
                found |= {bool(one) != answer for one in said.unique()}
                if not bool(((said == 0) | (said == 1)).all()):
                    found = {True, False}
        if len(found) != 1:
            raise NotAffine("its membrane is read outside of it, where spikes alone travel")
        return found.pop()

    # lines

    def _check(self, one: Any, two: Any, why: str) -> None:
        if not close(one, two, self.size):
            raise NotAffine(why)

    def _gains(self, gated: bool) -> Values:
        """What a unit of every input adds to the margin."""
        inputs, states = self.cycle.inputs, self._none(self.cycle.delays)
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
        if all(bool((gain == 0).all()) for gain in found.values()):
            raise NotAffine("its input enters one step after it fires")
        return found

    def _current(self, direct: Values) -> tuple[Values, float, int]:
        """Gains of X behind the current's filter, its decay, and the steps that X waits."""
        if self.filter is None:
            return direct, 0.0, 0
        one, inputs = self.filter, self.cycle.inputs
        none = self._none(inputs)
        states = self._none(self.cycle.delays)
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
        rate = _one(decay, "decays of its current")
        if rate == 0:
            raise NotAffine("its current has no memory")
        factor = (weight / decay)[0]
        if all(close(factor * taken[n], direct[n], self.size) for n in inputs):
            return direct, rate, 0
        if all(bool((direct[n] == 0).all()) for n in inputs):
            return {n: weight[0] * taken[n] for n in inputs}, rate, 1
        raise NotAffine("a part of its input passes the current's filter, another does not")

    def _lines(self, gated: bool) -> tuple[_Line, _Line]:
        """H of the next step as a line of the margin, without a spike and with one."""
        states, inputs = self._states(fired=False if gated else None), self._inputs()
        margin, none = self._margin(states, inputs), self._none(self.cycle.inputs)
        found = []
        for fires in (False, True):
            after = self._without_current(self._next(states, inputs, fires))
            when = "after a spike" if fires else "without a spike"
            found.append(self._line(margin, self._margin(after, none), when))
        return found[0], found[1]

    def _line(self, margin: Any, held: Any, when: str) -> _Line:
        held = torch.broadcast_to(held, margin.shape)
        around, mean = margin - margin.mean(0), held.mean(0)
        slope = (around * (held - mean)).sum(0) / (around * around).sum(0)
        start = mean - slope * margin.mean(0)
        why = f"what its membrane keeps {when} is no line of the membrane ({self._oddities()})"
        self._check(held, slope * margin + start, why)
        return _Line(clean(slope, 1.0), clean(start, self.size))

    # the equation

    def _equation(
        self,
        gains: Values,
        current: float,
        delayed: int,
        still: _Line,
        fired: _Line,
    ) -> Fitted:
        decay = _one(still.slope, "decays")
        first = self._margin(
            self._without_current(self.step.first(1)), self._none(self.cycle.inputs)
        )[0]
        threshold, offset, reset, after = _shifted(still, fired, first, decay, self.size)
        if bool((threshold <= 0).any()):
            raise NotAffine("its threshold does not lie above what it rests at")
        initial = first + threshold - offset
        used = {n: gain for n, gain in gains.items() if bool((gain != 0).any())}
        unit = _unit(used, threshold)
        one = float((threshold * unit).reshape(-1)[0])
        parameters = {
            "kind": "lif",
            "threshold": snap(one, self.size),
            "fires_at": "gt" if strict(self.main) != self.negated else "ge",
            "decay": snap(decay, 1.0),
            "v_reset": snap(_one(after * unit, "reset values"), self.size),
            "reset": reset,
        }
        more = {
            "current_decay": snap(current, 1.0),
            "initial": snap(_one(initial * unit, "initial membranes"), self.size),
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
        )


def _shifted(
    still: _Line, fired: _Line, first: Any, decay: float, size: float
) -> tuple[Any, Any, str, Any]:
    """(threshold, offset on X, kind of reset, v_reset): margins shifted so that U decays to 0."""
    taken = still.start - fired.start  # by a spike, where both lines are parallel
    zero = torch.zeros_like(taken)
    cleared = bool((fired.slope == 0).all())
    if not cleared and not close(fired.slope, still.slope, 1.0):
        raise NotAffine("a spike neither clears its membrane nor subtracts from it")
    kept = not cleared and close(taken, zero, size)
    if decay < 1:
        threshold = clean(-still.start / (1 - decay), size)
    else:
        started = clean(still.start - first, size)  # the membrane starts at zero
        natural = kept or (cleared and bool((started > 0).all()))
        threshold = started if natural else clean(taken, size)

    def drift(threshold: Any) -> Any:
        return clean(still.start + threshold * (1 - decay), size)

    if kept:
        return threshold, drift(threshold), "none", zero
    if cleared:
        if not bool((threshold > 0).all()) and decay:
            threshold = clean(taken / decay, size)  # seen from the reset value, with a drift
        after = fired.start + threshold - drift(threshold)
        return threshold, drift(threshold), "hard", clean(after, size)
    for amount, kind in ((taken / decay, "soft"), (taken, "soft_after")):
        if close(amount, threshold, size):
            return threshold, drift(threshold), kind, zero
    if not bool((taken > 0).all()):
        raise NotAffine("a spike adds to its membrane")
    amount = clean(taken / decay, size)
    return amount, drift(amount), "soft", zero


def _unit(gains: Values, threshold: Any) -> Any:
    """What margins are multiplied by: the first gain divided out, one threshold for all."""
    first = next(iter(gains.values()))
    reference = threshold.reshape(-1)[0]
    common = first.abs().reshape(-1)[0]
    if bool((threshold == reference).all()):
        return torch.ones_like(threshold) / common
    return reference / threshold / common


def _one(values: Any, what: str) -> float:
    """The one number that all channels have."""
    flat = values.reshape(-1)
    if not bool((flat - flat[0]).abs().max() <= AGREEMENT * max(1.0, float(flat.abs().max()))):
        raise NotAffine(
            f"it has {len(torch.unique(flat))} different {what}, and one is needed for all its"
            " channels",
            "train one number for the layer, or make a module of its own for each",
        )
    return float(flat[0])


def close(one: Any, two: Any, size: float) -> bool:
    two = torch.as_tensor(two, dtype=torch.float64)
    scale = max(size, float(one.abs().max()), float(two.abs().max()))
    return bool((one - two).abs().max() <= AGREEMENT * scale)


def clean(values: Any, size: float) -> Any:
    """Numbers of rounding's size are zero, and shorter numbers nearby are meant."""
    flat = [snap(float(value), size) for value in values.reshape(-1)]
    return torch.tensor(flat, dtype=torch.float64).reshape(values.shape)


def snap(value: float, size: float) -> float:
    """The nearest short number within rounding: decimal, or of float32, which modules hold."""
    room = 4e-14 * max(size, abs(value))
    if abs(value) <= room:
        return 0.0
    single = float(torch.tensor(value, dtype=torch.float32))
    few = [float(f"{value:.{digits}g}") for digits in range(1, DIGITS + 1)]
    near = (short for short in (*few[:6], single, *few[6:]) if abs(short - value) <= room)
    return next(near, value)


__all__ = ["Fitted", "NotAffine", "clean", "close", "fit", "refused", "snap"]
