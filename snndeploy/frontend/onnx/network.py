"""OnnxNetwork: the nodes of an ONNX file as a torch module, a submodule each.

What depends on no input is folded when the module is made, by onnx's reference evaluator; what
depends on the shape of the input alone, when it runs.  So reshapes to computed sizes are plain
numbers by the time that torch sees them.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import torch
from onnx.reference import ReferenceEvaluator

from snndeploy.errors import DeployError, ModelError, UnsupportedError, one_line
from snndeploy.frontend.onnx.call import NodeCall, Refused
from snndeploy.frontend.onnx.fuse import fused
from snndeploy.frontend.onnx.layers import prepared
from snndeploy.frontend.onnx.operators import FOLDED, OPERATORS
from snndeploy.frontend.onnx.reader import OnnxModel, OnnxNode

LARGEST_FOLDED = 1 << 28  # values
GROWING = ("ConstantOfShape", "Expand")


class OnnxNetwork(torch.nn.Module):
    """Computes the outputs of a file, as one tensor or a tuple of them.

    Raises:
        UnsupportedError: a node whose operator is known and whose form is not.
    """

    def __init__(self, model: OnnxModel) -> None:
        super().__init__()
        self.description = model
        folding = dict(model.arrays)
        live = {model.input}
        self.live: list[tuple[OnnxNode, str]] = []
        self.folding = folding
        for node in fused(model):
            if node.operator != "Shape" and not live & set(node.inputs):
                folding.update(folded(model, node, [folding.get(name) for name in node.inputs]))
            elif node.operator == "Shape" and node.inputs[0] in folding:
                folding.update(folded(model, node, [folding[node.inputs[0]]]))
            else:
                live |= set(filter(None, node.outputs))
                self.live.append((node, self._submodule(node)))
        self.eval()

    def _submodule(self, node: OnnxNode) -> str:
        """A module for the node, by its label in letters that torch takes."""
        plain = "".join(c if c.isalnum() or c in "_-" else "_" for c in node.label).strip("_")
        name = stem = plain or "node"
        count = 1
        while hasattr(self, name):
            count += 1
            name = f"{stem}_{count}"
        constants = [self.folding.get(text) if text else None for text in node.inputs]
        self.add_module(name, NodeModule(node, constants, self.description))
        return name

    def example(self) -> Any:
        return torch.zeros(1, *self.description.sample)

    def forward(self, x: Any) -> Any:
        values: dict[str, Any] = {self.description.input: x}
        for node, name in self.live:
            given = [values.get(text) if text else None for text in node.inputs]
            made = getattr(self, name)(*given, batch=int(x.shape[0]))
            values.update(zip(node.outputs, made, strict=False))
        results = [values.get(name) for name in self.description.outputs]
        if any(not isinstance(result, torch.Tensor) for result in results):
            raise ModelError("an output does not depend on the model's input")
        return results[0] if len(results) == 1 else tuple(results)


class NodeModule(torch.nn.Module):
    """One node, with its constant inputs: floats as buffers, whole numbers as arrays."""

    def __init__(self, node: OnnxNode, constants: Sequence[Any], model: OnnxModel) -> None:
        super().__init__()
        self.node, self.description = node, model
        held = {index: array for index, array in enumerate(constants) if array is not None}
        try:
            self.attributes, self.arrays = prepared(node.operator, node.attributes, held)
        except Refused as error:
            raise refused(model, node, str(error)) from None
        for index, array in self.arrays.items():
            if array.dtype.kind == "f":
                values = np.ascontiguousarray(array, dtype=np.float32)
                self.register_buffer(f"input_{index}", torch.from_numpy(values.copy()))

    def forward(self, *given: Any, batch: int) -> tuple[Any, ...]:
        inputs = [self._value(index, value) for index, value in enumerate(given)]
        more = range(len(given), 1 + max(self.arrays, default=0))
        inputs += [self._value(index, None) for index in more]
        alive = [value for value in inputs if isinstance(value, torch.Tensor)]
        if self.node.operator == "Shape":
            return (self._shape(inputs[0]),)
        if not any(isinstance(value, torch.Tensor) for value in given):
            arrays = [self.arrays.get(i, value) for i, value in enumerate(given)]
            return tuple(folded(self.description, self.node, arrays).values())
        if self.node.operator in FOLDED or not alive:
            raise refused(self.description, self.node, "it is known for constants alone")
        return self._run(tuple(inputs), batch)

    def _value(self, index: int, value: Any) -> Any:
        if value is not None or index not in self.arrays:
            return value
        return getattr(self, f"input_{index}", self.arrays[index])

    def _shape(self, value: Any) -> np.ndarray:
        sizes = [int(size) for size in value.shape]
        start, end = (self.node.attributes.get(key) for key in ("start", "end"))
        return np.array(sizes[start:end], np.int64)

    def _run(self, inputs: tuple[Any, ...], batch: int) -> tuple[Any, ...]:
        fixed = self.description.batch
        call = NodeCall(
            self.node.operator, self._plain(inputs), self.attributes, len(self.node.outputs),
            None if fixed is None else (fixed, batch), frozenset(self.arrays),
        )  # fmt: skip
        try:
            made = OPERATORS[self.node.operator](call)
        except DeployError:
            raise
        except Refused as error:
            raise refused(self.description, self.node, str(error)) from None
        return made if isinstance(made, tuple) else (made,)

    def _plain(self, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        """Limits and fills stay numbers, though they are floats."""
        if self.node.operator not in ("Clip", "Pad"):
            return inputs
        return tuple(self.arrays.get(index, value) for index, value in enumerate(inputs))


def folded(model: OnnxModel, node: OnnxNode, inputs: Sequence[Any]) -> dict[str, np.ndarray]:
    """What a node of constants gives, by onnx's own reference."""
    if node.operator in GROWING:
        sizes = inputs[-1]
        if sizes is None or prod(int(size) for size in np.ravel(sizes)) > LARGEST_FOLDED:
            raise refused(model, node, f"it makes over {LARGEST_FOLDED:,} values of none")
    if node.operator == "Range" and not _is_short(inputs):
        raise refused(model, node, f"it makes over {LARGEST_FOLDED:,} values of none")
    named = {name: value for name, value in zip(node.inputs, inputs, strict=True) if name}
    try:
        found = ReferenceEvaluator(node.proto, opsets={"": model.opset}).run(None, named)
    except Exception as error:  # the reference raises whatever numpy does
        raise refused(model, node, one_line(error)) from None
    return {name: np.asarray(value) for name, value in zip(node.outputs, found, strict=False)}


def _is_short(limits: Sequence[Any]) -> bool:
    start, end, step = (float(np.ravel(value)[0]) for value in limits)
    return step != 0 and abs((end - start) / step) <= LARGEST_FOLDED


def refused(model: OnnxModel, node: OnnxNode, why: str) -> UnsupportedError:
    where = f"{model.path}: node {node.label!r}, operator {node.operator} of opset {model.opset}"
    return UnsupportedError(
        f"{where}: {why}",
        node=node.label, reason=node.operator,
    )  # fmt: skip
