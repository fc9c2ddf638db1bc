"""A cycle asked at random points what each part of it is.

Its comparator, answered from outside (no or yes), leaves maps of states and inputs.  A state holds
whether it fired (a bit), waits (a refractory time), is a current before the membrane, or is what
the membrane carries.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from snndeploy.frontend.capture.affine import NotAffine
from snndeploy.frontend.capture.counts import counted_gates
from snndeploy.frontend.capture.cycles import Cycle
from snndeploy.frontend.capture.rolled import Delay, Steps
from snndeploy.frontend.capture.step import Step, Values, is_rounding, strict

PROBES = 64
LONGEST_REFRACTORY = 1000


class Probe:
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
        self.filtered = {self.filter} if self.filter is not None else set()

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

    def _drawn(self, delay: Delay) -> Any:
        """A random state, of those that hold yes or no by a coin."""
        return self._random() > 0 if delay.dtype is torch.bool else self._random()

    def _states(self, *, fired: bool | None = None) -> Values:
        """Random ones; fired: whether it did in the step before, for those that hold it."""
        found: Values = {}
        coin = self._random() > 0
        yes = coin if fired is None else torch.full_like(coin, fired)
        for delay in self.cycle.delays:
            found[delay] = self._drawn(delay)
            if delay in self.held:
                found[delay] = self.held[delay].expand_as(found[delay])
            elif delay in self.bits:
                found[delay] = torch.where(yes, self.bits[delay][1], self.bits[delay][0])
        return found

    def _none(self, nodes: Any) -> Values:
        return {node: self.zero for node in nodes}

    def _quiet(self) -> Values:
        """Nothing in any state, and no spike in the step before."""
        return {d: self.bits[d][0] if d in self.bits else self.zero for d in self.cycle.delays}

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
        if len(found) == 2 and (again := self._behind(*found)):
            self.gates = {again: torch.zeros((), dtype=torch.bool)}
            found = [node for node in found if node is not again]
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
        """An input changes its margin, in the same step or through the current's filter."""
        states = self._states()
        forced = {
            other: torch.zeros((PROBES, *self.step.shape), dtype=torch.bool)
            for other in self.cycle.comparisons
        }
        margins = []
        for _ in range(2):
            states |= {delay: self._random() for delay in self.cycle.filtered}
            values = self.step.run(states, self._inputs(), forced, opened=True)
            margins.append(self.step.margin(node, values))
        return not bool((torch.as_tensor(margins[0] == margins[1])).all())

    def _behind(self, one: Steps, two: Steps) -> Steps | None:
        """The comparison, of two, of what the other's answer leaves; it is taken to say no, and
        whether that is right is shown by the cycle on random input."""
        states, inputs = self._states(), self._inputs()
        answers = [torch.full((PROBES, *self.step.shape), yes) for yes in (False, True)]

        def depends(node: Steps, other: Steps) -> bool:
            margins = [
                self.step.margin(node, self.step.run(states, inputs, {other: yes}, opened=True))
                for yes in answers
            ]
            return bool((torch.as_tensor(margins[0] != margins[1])).any())

        later = [node for node, other in ((one, two), (two, one)) if depends(node, other)]
        return later[0] if len(later) == 1 else None

    def _bits(self) -> dict[Delay, tuple[Any, Any]]:
        """States that hold whether it fired in the step before, and their values for no and yes."""
        found = {}
        states = {delay: self._drawn(delay) for delay in self.cycle.delays}
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
                d: self._drawn(d) if d in moved or d in self.cycle.filtered else v
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

    def _filter(self) -> Delay | None:
        """The state of a current before the membrane; without other states it is the membrane."""
        found = self.cycle.filtered
        alone = all(d in found for d in self.cycle.delays)  # nothing resets the membrane
        if alone and len(found) == 2:
            return self._first_filter(*found)
        if len(found) > 1:
            raise NotAffine("its input passes more than one filter")
        return None if alone or not found else found[0]

    def _first_filter(self, one: Delay, two: Delay) -> Delay:
        """The state, of two, that the other's does not change."""
        states, inputs = self._states(), self._inputs()
        base = self._next(states, inputs, False)
        first = []
        for state, other in ((one, two), (two, one)):
            moved = self._next({**states, other: self._random()}, inputs, False)
            if bool((moved[state] == base[state]).all()):
                first.append(state)
        if len(first) != 1:
            raise NotAffine("its input passes two filters that are not behind each other")
        return first[0]

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
