"""Writer: the nodes and constants of an ONNX graph as they are made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from snndeploy.graph import Node

OPSET = 17  # of 2022: the first with LayerNormalization, and old enough for every runtime
Inputs = Sequence[tuple[str, Node]]
"""What a node reads: the name of each value, and the node that gives it."""


class Writer:
    """nodes, constants: so far, in order; equal constants are kept once."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: dict[tuple[Any, ...], TensorProto] = {}
        self.names: set[str] = set()

    def unique(self, wanted: str) -> str:
        name, count = wanted, 1
        while name in self.names:
            count += 1
            name = f"{wanted}_{count}"
        self.names.add(name)
        return name

    def add(self, operator: str, name: str, *inputs: str, **attributes: Any) -> str:
        """The name of a node's result."""
        (output,) = self.several(operator, name, 1, *inputs, **attributes)
        return output

    def several(
        self, operator: str, name: str, outputs: int, *inputs: str, **attributes: Any
    ) -> list[str]:
        """The names of a node's results."""
        own = self.unique(name)
        made = [own, *(self.unique(f"{own}_{index}") for index in range(1, outputs))]
        self.nodes.append(helper.make_node(operator, list(inputs), made, name=own, **attributes))
        return made

    def constant(self, values: Any, kind: type = np.float32) -> str:
        array: np.ndarray = np.array(values, dtype=kind, order="C")
        key = (array.shape, array.dtype.str, array.tobytes())
        if key not in self.constants:
            name = self.unique(f"constant_{len(self.constants)}")
            self.constants[key] = numpy_helper.from_array(array, name)
        return self.constants[key].name

    def counts(self, values: Sequence[int]) -> str:
        """Shapes, axes and places."""
        return self.constant(list(values), np.int64)
