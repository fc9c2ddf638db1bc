"""A trained neuron in standard operators, step by step: `neurons.leaky_fire.LeakyFire`.

    U = H + I,  S = U >= θ,  H = the reset that the neuron states           (its docstring has all)

The same operations in the same order as the reference, so that elementwise nothing is rounded
differently.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from onnx import TensorProto

from snndeploy.backends.onnx.operations import each_step, number, stacked
from snndeploy.backends.onnx.writer import Writer
from snndeploy.graph import Graph, Node
from snndeploy.neurons import FiresAt, Reset, equation_of
from snndeploy.neurons.leaky_fire import LeakyFire

Inner = Callable[[Graph, str, str], str]
"""(graph of one step, its input, a prefix for names) -> its output."""


@dataclass
class Unrolled:
    """One neuron as it is written: what is carried from step to step, by tensor name."""

    write: Writer
    node: Node
    inner: Inner
    carried: str = ""
    current: str = ""
    spikes: str = ""

    def written(self, x: str) -> str:
        """The spikes of all steps."""
        axis, steps = self.node.attributes["time_axis"], self.node.attributes["timesteps"]
        found = [self._step(step) for step in each_step(self.write, self.node, x, axis, steps)]
        return stacked(self.write, self.node, found, axis)

    @property
    def neuron(self) -> LeakyFire:
        equation = equation_of(self.node.attributes)
        assert isinstance(equation, LeakyFire)
        return equation

    def _step(self, x: str) -> str:
        if self.node.feedback is not None:
            last = self.spikes or self._number("no_spikes", "Mul", x, 0.0)
            fed = self.inner(self.node.feedback, last, f"{self.node.name}_feedback_")
            x = self._add("Add", "recurrent", x, fed)
        if self.neuron.current_decay:
            if self.current:
                held = self._number("held", "Mul", self.current, self.neuron.current_decay)
                x = self._add("Add", "current", held, x)
            self.current = x
        membrane = x
        if self.carried:
            membrane = self._add("Add", "membrane", self.carried, x)
        elif self.neuron.initial:
            membrane = self._number("membrane", "Add", x, self.neuron.initial)
        if self.node.body is not None:
            membrane = self.inner(self.node.body, membrane, f"{self.node.name}_attention_")
        self.spikes = self._fired(membrane)
        self.carried = self._behind(membrane, self.spikes)
        return self.spikes

    def _fired(self, membrane: str) -> str:
        at_least = self.neuron.fires_at is FiresAt.AT_LEAST
        relation = "GreaterOrEqual" if at_least else "Greater"
        fires = self._number("fires", relation, membrane, self.neuron.threshold)
        spikes = self._add("Cast", "spikes", fires, to=TensorProto.FLOAT)
        if self.neuron.most_spikes == 1:
            return spikes
        times = self._add("Floor", "times", self._number("in_units", "Div", membrane,
                                                         self.neuron.threshold))  # fmt: skip
        most = self.write.constant(float(self.neuron.most_spikes))
        several = self._add("Clip", "several", times, "", most)
        return self._add("Mul", "spikes", several, spikes)

    def _behind(self, membrane: str, spikes: str) -> str:
        """H behind the reset."""
        neuron, held = self.neuron, membrane
        if neuron.lower_bound is not None:
            held = self._number("bounded", "Max", held, neuron.lower_bound)
        if neuron.reset is Reset.HARD:
            fired = self._number("fired", "Greater", spikes, 0.0)
            reset = self.write.constant(neuron.v_reset)
            return self._add("Where", "reset", fired, reset, self._leaked(held))
        if neuron.reset is Reset.NONE:
            return self._leaked(held)
        less = self._number("subtracted", "Mul", spikes, neuron.threshold)
        if neuron.reset is Reset.SOFT_AFTER:
            return self._add("Sub", "reset", self._leaked(held), less)
        return self._leaked(self._add("Sub", "reset", held, less))

    def _leaked(self, held: str) -> str:
        return self._number("leaked", "Mul", held, self.neuron.decay)

    def _add(self, operator: str, what: str, *inputs: str, **attributes: int) -> str:
        return self.write.add(operator, f"{self.node.name}_{what}", *inputs, **attributes)

    def _number(self, what: str, operator: str, x: str, value: float) -> str:
        return number(self.write, f"{self.node.name}_{what}", operator, x, value)
