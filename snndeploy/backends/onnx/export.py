"""A program's float model as an ONNX file: the whole network, or what the host computes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any, Literal

import onnx
from onnx import TensorProto, helper

from snndeploy.backends.onnx.neuron import Unrolled
from snndeploy.backends.onnx.operations import OPERATIONS
from snndeploy.backends.onnx.writer import OPSET, Writer
from snndeploy.errors import UnsupportedError
from snndeploy.files.writing import write_bytes
from snndeploy.graph import Graph, Node
from snndeploy.neurons import Equation, equation_of
from snndeploy.neurons.leaky_fire import LeakyFire
from snndeploy.program import Program

IR_VERSION = 8  # what goes with opset 17
LARGEST_FILE = 2 << 30
METADATA = "snndeploy."
Part = Literal["encoder", "network"]


def part_of(program: Program, part: Part) -> Graph:
    return program.encoder if part == "encoder" else program.model.select(program.model.outputs)


def missing(program: Program, part: Part) -> Iterator[UnsupportedError]:
    """What of the float model has no form in ONNX here, by name."""
    if not program.has_float_model:
        yield UnsupportedError(
            "it was imported as integers: there is no float model to write", reason="no float model"
        )
        return
    for node in part_of(program, part).nodes:
        if node.is_neuron:
            equation = equation_of(node.attributes)
            what = _unsaid(equation)
            if what:
                yield UnsupportedError(
                    f"{node.label}: ONNX files have no neuron with {what}", node=node.label,
                    reason=what,
                )  # fmt: skip
        elif not node.is_input and node.op not in OPERATIONS:
            yield UnsupportedError(
                f"{node.label}: operation {node.op} has no form in ONNX", node=node.label,
                reason=node.op,
            )  # fmt: skip


def _unsaid(equation: Equation) -> str:
    """What of a neuron the exported operators do not say ('' where they say all)."""
    if not isinstance(equation, LeakyFire):
        return equation.kind
    if equation.refractory:
        return "refractory steps"
    return "a grid that its state is rounded to" if equation.grid else ""


def export_onnx(program: Program, output: Path, part: Part) -> tuple[int, int]:
    """Write the file; how many nodes it has, and bytes.

    Raises:
        UnsupportedError: larger than a protobuf may be.
        DeployError: the file cannot be written.
    """
    model = onnx_model(part_of(program, part), program.name, part)
    if model.ByteSize() > LARGEST_FILE:
        raise UnsupportedError(
            f"{output}: the model takes {model.ByteSize():,} bytes; an ONNX file has at most"
            f" {LARGEST_FILE:,}"
        )
    onnx.checker.check_model(model, full_check=True)
    content = model.SerializeToString(deterministic=True)
    write_bytes(output, content)
    return len(model.graph.node), len(content)


def onnx_model(graph: Graph, name: str, part: Part) -> Any:
    write = Writer()
    entry = write.unique("input")
    values = dict(_written(write, graph, entry, ""))
    outputs = [
        (write.add("Identity", f"output_{output}", values[output]), graph.by_name[output])
        for output in graph.outputs
    ]
    made = helper.make_graph(
        write.nodes,
        f"{name}_{part}",
        [_declared(entry, graph.input)],
        [_declared(output, node) for output, node in outputs],
        list(write.constants.values()),
    )
    imports = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(
        made, opset_imports=imports, ir_version=IR_VERSION, producer_name="snndeploy"
    )
    said = {
        "part": part,
        "timesteps": str(graph.timesteps),
        "input_signal": str(graph.input.attributes["signal"]),
    }
    helper.set_model_props(model, {METADATA + key: value for key, value in said.items()})
    return model


def _written(write: Writer, graph: Graph, entry: str, prefix: str) -> Iterator[tuple[str, str]]:
    """The tensor of every node of a graph, by node."""
    values: dict[str, str] = {}

    def inner(body: Graph, value: str, names: str) -> str:
        found = dict(_written(write, body, value, prefix + names))
        return found[body.outputs[0]]

    for node in graph.nodes:
        inputs = [(values[name], graph.by_name[name]) for name in node.inputs]
        named = replace(node, name=prefix + node.name)
        if node.is_input:
            made = entry
        elif node.is_neuron:
            made = Unrolled(write, named, inner).written(inputs[0][0])
        else:
            made = OPERATIONS[node.op](write, named, inputs)
        values[node.name] = made
        yield node.name, made


def _declared(name: str, node: Node) -> Any:
    """A float tensor whose samples are as many as are given."""
    shape: list[int | str] = []
    for dimension in node.axes:
        size = prod(size for _, size in dimension)
        samples = any(label == "batch" for label, _ in dimension)
        shape.append(("samples" if size == 1 else f"samples_{size}") if samples else size)
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
