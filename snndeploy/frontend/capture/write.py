"""The rolled program in torch's operators on whole sequences, time first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from snndeploy.errors import UnsupportedError
from snndeploy.frontend.capture import lift
from snndeploy.frontend.capture.cycles import Cycle, Filter, Parts
from snndeploy.frontend.capture.feedback import fed_back
from snndeploy.frontend.capture.fit import Fitted, refused
from snndeploy.frontend.capture.linear import Integrator
from snndeploy.frontend.capture.numbers_by_step import weighing
from snndeploy.frontend.capture.operators import ELEMENTWISE
from snndeploy.frontend.capture.rolled import (
    Axis,
    Delay,
    Fixed,
    Input,
    Numbers,
    Rolled,
    Steps,
    Taken,
    Together,
    Total,
    Whole,
)
from snndeploy.frontend.capture.writer import Writer, full_tensor

aten = torch.ops.aten


@dataclass(frozen=True, eq=False)
class Neuron:
    """A cycle, its equation, and the name of the node that stands for it."""

    cycle: Cycle
    fitted: Fitted
    name: str
    feedback: Any = None


class Sequences:
    """The rolled program, written node by node from its output.

    known: neurons that describe themselves, whose numbers come first.
    """

    def __init__(
        self, parts: Parts, fits: dict[Cycle, Fitted], timesteps: int, known: int = 0
    ) -> None:
        self.known = known
        self.writer, self.timesteps, self.fits = Writer(timesteps), timesteps, fits
        self.exits = {node: cycle for cycle in parts.cycles for node in cycle.exits}
        self.inside = {node: cycle for cycle in parts.cycles for node in cycle.nodes}
        self.filters: dict[Rolled, Filter] = {n: f for f in parts.filters for n in f.nodes}
        self.integrators: dict[Filter, Integrator] = {}
        self.made: dict[Any, Any] = {}
        self.neurons: list[Neuron] = []

    def written(self, output: Rolled, given: Rolled) -> Any:
        self.made[given] = self.writer.given(given.shape)
        return self.writer.exported(self.value(output))

    def value(self, node: Rolled) -> Any:
        """The call that computes the node: (time, ...) for a timed one."""
        if node not in self.made:
            self.made[node] = self._value(node)
        return self.made[node]

    def _value(self, node: Rolled) -> Any:
        if node in self.exits:
            return self._neuron(self.exits[node], node)
        if node in self.filters:
            return self._integrated(self.filters[node], node)
        if isinstance(node, Fixed):
            return self.writer.constant(full_tensor(node.value), node.value)
        if isinstance(node, Input):
            raise AssertionError("the program has one input")
        if isinstance(node, Delay):
            return self._delayed(node)
        source = self.value(node.sources()[0]) if not isinstance(node, (Whole, Steps)) else None
        if isinstance(node, Axis):
            return lift.moved(self.writer, source, node.along, 0, node.module)
        if isinstance(node, Together):
            source = self._steps(source, node)
            return lift.together(self.writer, source, node.along, node.new, node.module)
        if isinstance(node, Taken):
            return self._taken(node)
        if isinstance(node, Total):
            source = self._steps(source, node)
            return self.writer.call(aten.sum.dim_IntList, source, [0], module=node.module)
        assert isinstance(node, (Whole, Steps))
        weights = weighing(node)
        if weights is not None:
            assert isinstance(node, Steps)
            return self._weighed(node, weights)
        arguments = {key: self._argument(node, value) for key, value in node.arguments.items()}
        if isinstance(node, Whole):
            return lift.plain(self.writer, node.call, arguments)
        timed = {self.value(s) for s in node.sources() if s.timed}
        return lift.lifted(self.writer, node.call, arguments, timed)

    def _steps(self, source: Any, node: Together | Total) -> Any:
        """Those steps of a sequence that are meant."""
        if len(node.steps) == self.timesteps:
            return source
        first, stop = node.steps.start, node.steps.stop
        return self.writer.call(aten.slice.Tensor, source, 0, first, stop, module=node.module)

    def _weighed(self, node: Steps, weights: Numbers) -> Any:
        """Every step times its number."""
        (sequence,) = (source for source in node.sources() if source is not weights)
        x = lift.widened(self.writer, self.value(sequence), len(node.shape), node.module)
        factors = torch.tensor(weights.numbers, dtype=torch.float64)
        if node.call.name == "aten.div.Tensor":
            factors = 1 / factors
        factors = factors.reshape(-1, *[1] * len(node.shape))
        stored = self.writer.constant(factors, (node.call.name, weights))
        return self.writer.call(aten.mul.Tensor, x, stored, module=node.module)

    def _argument(self, node: Whole | Steps, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return [self._argument(node, part) for part in value]
        if not isinstance(value, Rolled):
            return value
        if isinstance(value, Fixed) and node.call.name in ELEMENTWISE:
            number = value.value.uniform
            return value.value if number is None else number
        return self.value(value)

    def _taken(self, node: Taken) -> Any:
        """The last step of a sum over all steps is their sum."""
        part = self.filters.get(node.source)
        if part is not None and node.step == self.timesteps - 1:
            integrator = self._integrator(part)
            if integrator.decay == 1 and integrator.is_sum(node.source):
                entering = self._mixed(integrator.gains(node.source), node.module)
                return self.writer.call(aten.sum.dim_IntList, entering, [0], module=node.module)
        source = self.value(node.source)
        return self.writer.call(aten.select.int, source, 0, node.step, module=node.module)

    def _delayed(self, node: Delay) -> Any:
        if node.initial.uniform != 0:
            raise UnsupportedError(
                f"a value of module {node.module!r} is read one step later, and starts at another"
                " value than zero; only zero compiles",
                node=node.module,
                reason="a delay that does not start at zero",
            )
        assert node.source is not None
        source = self.value(node.source)
        if not node.source.timed:
            source = self.writer.repeated(source, node.module)
        return self.writer.call(torch.ops.snndeploy.delay.default, source, 1, module=node.module)

    # what remembers

    def _integrator(self, part: Filter) -> Integrator:
        if part not in self.integrators:
            self.integrators[part] = Integrator(part)
        return self.integrators[part]

    def _integrated(self, part: Filter, node: Rolled) -> Any:
        integrator = self._integrator(part)
        entering = self._mixed(integrator.gains(node), part.module)
        leaky = torch.ops.snndeploy.leaky.default
        summed = self.writer.call(leaky, entering, integrator.decay, module=part.module)
        if integrator.is_sum(node):
            return summed
        return self.writer.call(torch.ops.snndeploy.delay.default, summed, 1, module=part.module)

    def _mixed(self, mix: tuple[dict[Rolled, Any], Any], module: str) -> Any:
        """The sum of inputs times their gains, plus an offset, at every step."""
        gains, offset = mix
        total = None
        for node, gain in gains.items():
            source = self.value(node)
            if not node.timed:
                source = self.writer.repeated(source, module)
            alone = len(gains) == 1
            zero = torch.zeros((), dtype=torch.float64)
            part = self.writer.scaled(source, gain, offset if alone else zero, module)
            total = part if total is None else self.writer.call(
                aten.add.Tensor, total, part, module=module
            )  # fmt: skip
        if len(gains) > 1:
            total = self.writer.scaled(total, torch.ones(()), offset, module)
        return total

    def _neuron(self, cycle: Cycle, node: Rolled) -> Any:
        if cycle not in self.made:
            self.made[cycle] = self._fired(cycle)
        fired = self.made[cycle]
        return fired

    def _fired(self, cycle: Cycle) -> Any:
        fitted = self.fits[cycle]
        gains = {n: g for n, g in fitted.gains.items() if n not in cycle.recurrent}
        if not gains:
            raise refused(cycle, "nothing but its own spikes enters it")
        try:
            current = self._mixed((gains, fitted.offset), cycle.module)
        except ValueError as why:
            raise refused(cycle, f"it has {why}") from None
        if fitted.delayed:
            delay = torch.ops.snndeploy.delay.default
            current = self.writer.call(delay, current, fitted.delayed, module=cycle.module)
        index = self.known + len(self.neurons)
        spikes = self.writer.call(
            torch.ops.snndeploy.neuron.default, current, index, module=cycle.module
        )
        feedback = fed_back(cycle, fitted) if cycle.recurrent else None
        self.neurons.append(Neuron(cycle, fitted, spikes.name, feedback))
        return spikes
