"""The float model of a program -> a `.nir` file.

What NIR has no place for is written as metadata of the graph, which this package reads back and
others pass over: steps, time step, reset, lower bound, what the answer is.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from inspect import signature
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import nir
import numpy as np

from snndeploy.backends.nir.neurons import DT, equation, integrator, neuron, refuse, resets
from snndeploy.backends.nir.writer import Layer, Value, Writer, feature_order, features, flattened
from snndeploy.errors import UnsupportedError
from snndeploy.files.ownership import MARK
from snndeploy.files.writing import write_bytes
from snndeploy.graph import Graph, Node

if TYPE_CHECKING:
    from snndeploy.program import Program

METADATA = "snndeploy_"  # begins our names in the graph's metadata
# nir's own check takes every kernel for a square; releases before 1.0.7 have none
_CHECKS = "type_check" in signature(nir.NIRGraph.__init__).parameters
_UNCHECKED: dict[str, Any] = {"type_check": False} if _CHECKS else {}
FINISHES = ("softmax", "log_softmax", "argmax")  # keep which class is largest


def export_nir(program: Program, path: Path) -> tuple[str, ...]:
    """Write it; the notes that a reader of the file needs.

    Raises:
        UnsupportedError: what NIR cannot say, with its layer.
        DeployError: the file cannot be written.
    """
    graph, notes = described(program)
    content = io.BytesIO()
    nir.write(content, graph)
    with h5py.File(content, "r+") as file:
        file.attrs[MARK] = "nir"
    write_bytes(path, content.getvalue())
    return notes


def described(program: Program) -> tuple[Any, tuple[str, ...]]:
    """The NIR graph of a program's float model, and notes.

    Raises:
        UnsupportedError: what NIR cannot say, with its layer.
    """
    if not program.has_float_model:
        raise UnsupportedError(
            f"{program.name} was imported as integers: NIR holds real numbers, and there are none"
        )
    if len(program.model.outputs) != 1:
        raise UnsupportedError(f"{program.name} has {len(program.model.outputs)} answers, NIR one")
    return _Export(program.model).made()


@dataclass
class _Export:
    model: Graph
    write: Writer = field(default_factory=Writer)
    values: dict[str, Value] = field(default_factory=dict)
    resets: set[str] = field(default_factory=set)
    bounds: set[float | None] = field(default_factory=set)
    fires: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    answer: str = ""
    prefix: str = ""
    named: dict[str, str] = field(default_factory=dict)

    def made(self) -> tuple[Any, tuple[str, ...]]:
        (head,) = self.model.outputs
        wanted = self.model.ancestors([head])
        for node in self.model.nodes:
            if node.name in wanted:
                before = [self.model.by_name[name] for name in node.inputs]
                self.values[node.name] = self._value(node, before)
        output = self.values[head]
        self.write.add("output", nir.Output(np.array(output.shape)), output, output.shape)
        graph = nir.NIRGraph(
            nodes=self.write.nodes, edges=self.write.edges, metadata=self._metadata(),
            **_UNCHECKED,
        )  # fmt: skip
        return graph, tuple([*self._said(), *self.notes])

    def _name(self, node: Node) -> str:
        """Without what separates names in HDF5 (/) and graphs in NIR (.), and never twice."""
        if node.name not in self.named:
            plain = self.prefix + node.name.replace("/", "_").replace(".", "_")
            taken = {"input", "output", *self.named.values()}
            again = (f"{plain}_{count}" for count in range(2, len(taken) + 3))
            self.named[node.name] = next(n for n in (plain, *again) if n not in taken)
        return self.named[node.name]

    # --- one node

    def _value(self, node: Node, before: Sequence[Node]) -> Value:
        if node.op not in WRITERS:
            raise refuse(node, f"computes {node.op!r}")
        return WRITERS[node.op](self, node, before, [self.values[b.name] for b in before])

    def input(self, node: Node, before: Sequence[Node], values: Sequence[Value]) -> Value:
        if not node.has_time:
            self.notes.append("the input is one image for all steps: give it at every step")
        return self.write.add("input", nir.Input(np.array(features(node))), None, features(node))

    def view(self, node: Node, before: Sequence[Node], values: Sequence[Value]) -> Value:
        (source,), (value,) = before, values
        if node.op == "permute":
            order = feature_order(source, node.attributes["order"])
            if order != sorted(order):
                raise refuse(node, "changes the order of channels, rows or columns")
        shape = features(node)
        if shape == value.shape:
            return value
        found = flattened(value.shape, shape)
        if found is None:
            raise refuse(node, f"makes {shape} of {value.shape}")
        made = nir.Flatten({"input": np.array(value.shape)}, *found)
        return self.write.add(self._name(node), made, value, shape)

    def conv(self, node: Node, before: Sequence[Node], values: Sequence[Value]) -> Value:
        top, bottom, left, right = node.attributes["padding"]
        if top != bottom or left != right:
            raise refuse(node, "pads its sides differently")
        if len(values[0].shape) != 3:
            raise refuse(node, f"convolves {values[0].shape}")
        fields = {
            "stride": tuple(node.attributes["stride"]), "padding": (top, left),
            "dilation": tuple(node.attributes["dilation"]), "groups": node.attributes["groups"],
        }  # fmt: skip
        return self._layer(node, values[0], fields, node.shape[-3:])

    def linear(self, node: Node, before: Sequence[Node], values: Sequence[Value]) -> Value:
        if len(values[0].shape) != 1:
            raise refuse(node, f"is linear over a part of {values[0].shape}")
        return self._layer(node, values[0], {}, node.shape[-1:])

    def _layer(self, node: Node, source: Value, fields: dict[str, Any], shape: Any) -> Value:
        weight, bias = node.parameters["weight"], node.parameters.get("bias")
        if self.answer == "sum" and bias is not None:
            raise refuse(node, "adds a bias behind the sum over time")
        return Value(shape, layer=Layer(self._name(node), source, weight, bias, fields))

    def pool(self, node: Node, before: Sequence[Node], values: Sequence[Value]) -> Value:
        fields = {
            "kernel_size": np.array(node.attributes["kernel"]),
            "stride": np.array(node.attributes["stride"]), "padding": np.array([0, 0]),
        }  # fmt: skip
        shape = node.shape[-3:]
        return Value(shape, layer=Layer(self._name(node), values[0], None, None, fields))

    def norm(self, node: Node, before: Sequence[Node], values: Sequence[Value]) -> Value:
        return self._scaled(node, values[0], node.parameters["scale"], node.parameters["shift"])

    def scale(self, node: Node, before: Sequence[Node], values: Sequence[Value]) -> Value:
        return self._scaled(node, values[0], node.attributes["factor"], node.attributes["offset"])

    def _scaled(self, node: Node, value: Value, gain: Any, offset: Any) -> Value:
        if self.answer == "sum" and np.any(offset):
            raise refuse(node, "adds a constant behind the sum over time")
        return self.write.scaled(self._name(node), value, gain, offset, alone=self._alone(node))

    def _alone(self, node: Node) -> bool:
        """Is it the only one that reads its input?"""
        (source,) = node.inputs
        return self.model.users[source] == (node.name,)

    def add(self, node: Node, before: Sequence[Node], values: Sequence[Value]) -> Value:
        names = tuple(name for value in values for name in self.write.names(value))
        if len(set(names)) < len(names):
            raise refuse(node, "adds a value to itself")
        if values[0].shape != values[1].shape:
            raise refuse(node, f"adds values of shapes {values[0].shape} and {values[1].shape}")
        return Value(values[0].shape, names)

    def neuron(self, node: Node, before: Sequence[Node], values: Sequence[Value]) -> Value:
        found, shape = equation(node), features(node)
        self.resets.add(resets(found))
        self.bounds.add(found.lower_bound)
        self.fires.add(found.fires_at.value)
        made, gain = neuron(found, shape)
        name = self._name(node)
        entering = self.write.scaled(f"{name}_input", values[0], gain, 0.0, alone=self._alone(node))
        value = self.write.add(name, made, entering, shape)
        if node.feedback is not None:
            self._feedback(node, node.feedback, value, gain)
        return value

    def _feedback(self, node: Node, back: Graph, spikes: Value, gain: float) -> None:
        """What its spikes add a step later: edges that lead back."""
        inner = _Export(
            back, self.write, {back.input.name: spikes}, prefix=f"{self._name(node)}_back_"
        )
        for step in back.nodes[1:]:
            sources = [back.by_name[name] for name in step.inputs]
            inner.values[step.name] = inner._value(step, sources)
        returned = inner.values[back.outputs[0]]
        returned = self.write.scaled(f"{self._name(node)}_back", returned, gain, 0.0, alone=True)
        for name in self.write.names(returned):
            self.write.edges.append((name, self._name(node)))

    def delay(self, node: Node, before: Sequence[Node], values: Sequence[Value]) -> Value:
        wait = np.full(features(node), node.attributes["steps"] * DT)
        return self.write.add(self._name(node), nir.Delay(delay=wait), values[0], features(node))

    def leaky(self, node: Node, before: Sequence[Node], values: Sequence[Value]) -> Value:
        made, gain = integrator(node.attributes["decay"], features(node))
        name = self._name(node)
        entering = self.write.scaled(f"{name}_input", values[0], gain, 0.0, alone=self._alone(node))
        return self.write.add(name, made, entering, features(node))

    def reduced(self, node: Node, before: Sequence[Node], values: Sequence[Value]) -> Value:
        """A mean or a sum: over time it is the answer, over the plane a pool."""
        (source,), (value,) = before, values
        gone = [source.axes[index] for index in node.attributes["dimensions"]]
        labels = {label for dimension in gone for label, size in dimension if size > 1}
        if labels <= {"time"}:
            return self._answered(node, value, node.op)
        plane = [prod(size for _, size in dimension) for dimension in gone]
        if node.op != "mean" or labels != {"feature"} or tuple(plane) != value.shape[1:]:
            raise refuse(node, f"takes the {node.op} over other dimensions than time, or a plane")
        fields = {
            "kernel_size": np.array(plane), "stride": np.array(plane), "padding": np.array([0, 0]),
        }  # fmt: skip
        shape = (value.shape[0], 1, 1)
        pooled = Value(shape, layer=Layer(self._name(node), value, None, None, fields))
        flat = nir.Flatten({"input": np.array(shape)}, 0, 2)
        return self.write.add(f"{self._name(node)}_flat", flat, pooled, shape[:1])

    def take(self, node: Node, before: Sequence[Node], values: Sequence[Value]) -> Value:
        chosen = node.attributes
        timed = any(label == "time" for label, _ in before[0].axes[chosen["dimension"]])
        if not timed or chosen["start"] != self.model.timesteps - 1 or not chosen["drop"]:
            raise refuse(node, "takes a part of a value")
        return self._answered(node, values[0], "last")

    def _answered(self, node: Node, value: Value, answer: str) -> Value:
        if self.answer not in ("", answer):
            raise refuse(node, f"takes the {answer} over time behind the {self.answer}")
        self.answer = answer
        return value

    def finish(self, node: Node, before: Sequence[Node], values: Sequence[Value]) -> Value:
        self.notes.append(f"{node.label}: {node.op} is left to the reader")
        return values[0]

    # --- what NIR does not store

    def _metadata(self) -> dict[str, Any]:
        if len(self.resets) > 1 or len(self.bounds) > 1:
            raise UnsupportedError(
                "its neurons reset in different ways or have different lower bounds, and a NIR"
                " file says neither: one for all can be told to its reader"
            )
        (bound,) = self.bounds
        found: dict[str, Any] = {
            "timesteps": self.model.timesteps, "dt": DT, "reset": next(iter(self.resets)),
            "answer": self.answer or "all", "input_signal": self.model.input.attributes["signal"],
        }  # fmt: skip
        if bound is not None:
            found["lower_bound"] = bound
        if self.fires == {"ge"}:
            found["fires_at"] = "ge"
        return {f"{METADATA}{key}": value for key, value in found.items()}

    def _said(self) -> list[str]:
        meta = {key.removeprefix(METADATA): value for key, value in self._metadata().items()}
        bound = meta.get("lower_bound")
        least = "" if bound is None else f", no membrane below {bound:g}"
        return [
            f"a reader must be told: Euler steps of {DT:g} s, {meta['reset']} reset{least},"
            f" {meta['timesteps']} steps, the answer is {ANSWERS[meta['answer']]}"
            " (snndeploy reads all this from the file's metadata)"
        ]


ANSWERS = {
    "mean": "the mean over time", "sum": "the sum over time", "last": "the last step",
    "all": "every step",
}  # fmt: skip
WRITERS: dict[str, Callable[..., Value]] = {
    "input": _Export.input, "view": _Export.view, "expand": _Export.view,
    "permute": _Export.view, "conv": _Export.conv, "linear": _Export.linear,
    "avg_pool": _Export.pool, "norm": _Export.norm, "scale": _Export.scale, "add": _Export.add,
    "neuron": _Export.neuron, "delay": _Export.delay, "leaky": _Export.leaky,
    "mean": _Export.reduced, "sum": _Export.reduced, "take": _Export.take,
    **dict.fromkeys(FINISHES, _Export.finish),
}  # fmt: skip
