"""Primitives in order -> Graph: neurons, what comes back to them, and the answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from snndeploy.errors import OptionError
from snndeploy.frontend.nir.euler import (
    FIRING,
    IN_TIME,
    LEAKING,
    Assumed,
    delay_steps,
    firing,
    leaking,
    numbers,
)
from snndeploy.frontend.nir.kinds import LINEAR
from snndeploy.frontend.nir.order import Order, ordered
from snndeploy.frontend.nir.reader import Primitive, Primitives
from snndeploy.frontend.nir.writer import Writer, require_shape
from snndeploy.graph import NO_NEURON, Graph, Node

Answer = Literal["mean", "sum", "last", "all"]
ANSWERS: tuple[Answer, ...] = ("mean", "sum", "last", "all")
LONGEST = 1 << 16


@dataclass
class _Network:
    primitives: Primitives
    order: Order
    assumed: Assumed
    write: Writer
    notes: list[str]

    @property
    def timesteps(self) -> int:
        assert self.write.timesteps is not None
        return self.write.timesteps

    def graph(self, signal: str, answer: Answer, name: str) -> Graph:
        values: dict[str, Node] = {}
        for key in self.order.forward:
            part = self.primitives.nodes[key]
            before = [values[source] for source in self.order.sources[key]]
            if before:
                values[key] = self._added(part, self._together(self.write, part, before))
            else:
                shape = _input_shape(part)
                values[key] = self.write.given(key, shape, signal)
        output = self.primitives.nodes[self.primitives.outputs[0]]
        read = self._answer(output, values[output.name], answer)
        return Graph(tuple(self.write.nodes), (read.name,), self.timesteps, name)

    def _added(self, part: Primitive, x: Node) -> Node:
        if part.kind in FIRING:
            return self._neuron(part, x)
        if part.kind in LEAKING:
            return self._membrane(part, x)
        if part.kind == "Delay":
            return self._delay(part, x)
        return LINEAR[part.kind](self.write, part, x)

    def _neuron(self, part: Primitive, x: Node) -> Node:
        self._require_shape(part, x)
        found = firing(part, self.assumed)
        entering = self.write.scaled(part, "input", x, found.gain, found.offset)
        return self.write.add(
            part, "", "neuron", entering, feedback=self._feedback(part, x, found.gain),
            **found.attributes, time_axis=1, timesteps=self.timesteps,
        )  # fmt: skip

    def _feedback(self, part: Primitive, x: Node, gain: object) -> Graph | None:
        """One step: from a neuron's last spikes to what they add to its input."""
        loop = self.order.back.get(part.name)
        if loop is None:
            return None
        write = Writer(None)
        values = {part.name: write.given("spikes", self.write.shape(x), "binary")}
        for name in loop[1:]:
            inner = self.primitives.nodes[name]
            before = [values[source] for source in self.order.sources[name]]
            together = self._together(write, inner, before)
            values[name] = LINEAR[inner.kind](write, inner, together)
        returning = [values[name] for name in self.primitives.into(part.name) if name in values]
        summed = self._together(write, part, returning)
        require_shape(part, self.write.shape(x), write.shape(summed))
        out = write.scaled(part, "returned", summed, gain, 0.0)
        if out.is_input:  # its spikes come back as they are
            out = write.add(part, "returned", "scale", out, factor=1.0, offset=0.0)
        return Graph(tuple(write.nodes), (out.name,), 1, f"back to {part.name}")

    def _membrane(self, part: Primitive, x: Node) -> Node:
        self._require_shape(part, x)
        found = leaking(part, self.assumed)
        made = self.write.scaled(part, "input", x, found.gain, 0.0)
        for place, decay in enumerate(found.decays):
            last = place == len(found.decays) - 1
            made = self.write.add(
                part, "" if last else "current", "leaky", made,
                decay=decay, time_axis=1, timesteps=self.timesteps,
            )  # fmt: skip
        return self.write.scaled(part, "rests", made, 1.0, found.resting)

    def _delay(self, part: Primitive, x: Node) -> Node:
        self._require_shape(part, x)
        steps, off = delay_steps(part, self.assumed)
        if steps > LONGEST:
            raise part.refuse(f"waits {steps:,} steps; at most {LONGEST:,} can be held")
        if off > 1e-6:
            self.notes.append(f"{part.name}: its delay is rounded by {off:.2g} of a step")
        if not steps:
            return x
        return self.write.add(
            part, "", "delay", x, steps=steps, time_axis=1, timesteps=self.timesteps
        )

    def _together(self, write: Writer, part: Primitive, values: list[Node]) -> Node:
        """Edges into one node add up."""
        total, *others = values
        for count, other in enumerate(others, start=1):
            require_shape(part, write.shape(total), write.shape(other))
            total = write.add(part, f"sum{count}", "add", total, other)
        return total

    def _require_shape(self, part: Primitive, x: Node) -> None:
        due = tuple(int(size) for size in part.value.input_type["input"])
        if due not in ((), (1,)):
            require_shape(part, due, self.write.shape(x))

    def _answer(self, part: Primitive, x: Node, answer: Answer) -> Node:
        if answer == "all":
            return x
        if answer == "last":
            last = self.timesteps - 1
            return self.write.add(
                part, "answer", "take", x,
                dimension=1, start=last, stop=last + 1, step=1, drop=True,
                axes=(x.axes[0], *x.axes[2:]),
            )  # fmt: skip
        return self.write.add(part, "answer", answer, x, dimensions=[1], keep=False)


def nir_graph(
    primitives: Primitives,
    timesteps: int,
    assumed: Assumed,
    *,
    signal: str,
    answer: Answer,
    name: str,
    spiking: bool = True,
) -> Graph:
    """The graph of a file's primitives, with notes about all that the file does not say.

    Raises:
        OptionError: something that must be said is not, or cannot be.
        ModelError: a node that cannot be done, by name.
    """
    kinds = {part.kind for part in primitives.nodes.values()}
    if spiking and not kinds & set(FIRING):
        raise OptionError(f"{primitives.file}: {NO_NEURON}")
    network = _Network(primitives, ordered(primitives), assumed, Writer(timesteps), [])
    graph = network.graph(signal, answer, name)
    return replace(graph, notes=(*_notes(primitives, kinds, assumed, answer), *network.notes))


def _notes(primitives: Primitives, kinds: set[str], assumed: Assumed, answer: Answer) -> list[str]:
    """What was assumed, and what was asked for."""
    found = []
    if kinds & set(IN_TIME):
        found.append(f"NIR stores no time step: Euler steps of {assumed.dt:g} s")
    if kinds & {"IF", "I"}:
        found.append("IF and I add R times their input at every step, whatever the time step")
    if kinds & (set(FIRING) - {"Threshold"}):
        reset = {"hard": "to v_reset (hard)", "soft": "by the threshold (soft)"}[assumed.reset]
        least = "none" if assumed.lower_bound is None else f"{assumed.lower_bound:g}"
        found.append(
            f"NIR stores no kind of reset, and no lower bound: a spike resets {reset}, lower bound"
            f" {least}; membranes start at v_leak"
        )
    if assumed.reset == "soft" and any(
        numbers(part, "v_reset").any()
        for part in primitives.nodes.values()
        if hasattr(part.value, "v_reset")
    ):
        found.append("v_reset of the file is not used with a soft reset")
    taken = {
        "mean": "its mean over time", "sum": "its sum over time", "last": "its last step",
        "all": "every step of it, of which a program reads the mean",
    }  # fmt: skip
    found.append(f"NIR stores a sequence: the answer is {taken[answer]}")
    return found


def _input_shape(part: Primitive) -> tuple[int, ...]:
    shape = tuple(int(size) for size in part.value.input_type["input"])
    if not shape or min(shape) < 1:
        raise part.refuse(f"has shape {shape}")
    return shape
