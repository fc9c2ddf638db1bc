"""A product with a matrix and the sum behind it are one linear layer, as they were in the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from snndeploy.frontend.onnx.reader import OnnxModel, OnnxNode


def fused(model: OnnxModel) -> list[OnnxNode]:
    """The nodes, every MatMul with the bias that nothing but its Add reads."""
    readers = Counter(name for node in model.nodes for name in node.inputs)
    readers.update(model.outputs)
    makers = {node.outputs[0]: node for node in model.nodes if readers[node.outputs[0]] == 1}
    found: dict[str, OnnxNode] = {}
    for node in model.nodes:
        layer = _layer(node, makers, model.arrays)
        if layer is not None:
            del found[layer.inputs[0]]
            node = replace(layer, inputs=layer.inputs[1:])
        found[node.outputs[0]] = node
    return list(found.values())


def _layer(
    node: OnnxNode, makers: Mapping[str, OnnxNode], arrays: Mapping[str, np.ndarray]
) -> OnnxNode | None:
    """The layer that an Add ends, the product's result first of its inputs."""
    if node.operator != "Add":
        return None
    for product, bias in (node.inputs, node.inputs[::-1]):
        maker = makers.get(product)
        if maker is None or maker.operator != "MatMul" or bias not in arrays:
            continue
        weight = arrays.get(maker.inputs[1])
        if weight is not None and weight.ndim == 2 and arrays[bias].shape == weight.shape[1:]:
            return replace(maker, inputs=(product, *maker.inputs, bias), outputs=node.outputs)
    return None
