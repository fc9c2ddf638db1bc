"""Small ONNX files, made node by node."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save_model, shape_inference

OPSET = 17


def model(nodes, arrays=(), sample=(2, 6, 6), *, opset=OPSET, inputs=None, batch="n", domains=()):
    """A model from 'x' to 'y'; nodes: (operator, inputs, outputs, attributes)."""
    made = [
        helper.make_node(operator, list(given), list(outputs), name=f"{operator}_{index}", **more)
        for index, (operator, given, outputs, more) in enumerate(nodes)
    ]
    entries = inputs or [("x", TensorProto.FLOAT)]
    graph = helper.make_graph(
        made,
        "graph",
        [helper.make_tensor_value_info(name, kind, [batch, *sample]) for name, kind in entries],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in dict(arrays).items()],
    )
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
    made = shape_inference.infer_shapes(
        helper.make_model(graph, opset_imports=imports, ir_version=8)
    )
    if not made.graph.output[0].type.tensor_type.HasField("shape"):
        made.graph.output[0].type.tensor_type.shape.dim.add()
    return made


def saved(path: Path, *arguments, **given) -> str:
    save_model(model(*arguments, **given), str(path))
    return str(path)


def floats(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def whole(*values):
    return np.array(values, np.int64)
