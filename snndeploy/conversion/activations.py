"""Which nodes become neurons: ReLU, and clips from 0; and how large their values are.

    threshold = the percentile of the layer's positive activations, at most the clip's limit

Diehl et al. (IJCNN 2015) take the largest activation, Rueckauer et al. (Front. Neurosci. 2017) a
percentile: one outlier would make every other rate small, and a spike that stands for less needs
fewer steps.  Zeros are left out, so that a sparse layer keeps its percentile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from snndeploy.conversion.facts import Threshold
from snndeploy.errors import DataError
from snndeploy.graph import Graph, Node
from snndeploy.ops import Role, kind_of
from snndeploy.ops.evaluate import evaluate

BATCH = 32  # samples evaluated at once


def is_activation(node: Node) -> bool:
    """max(x, 0), or clipped above too."""
    clips = node.op == "clamp" and node.attributes["minimum"] == 0.0
    return node.op == "relu" or clips


def limit(node: Node) -> float:
    """The value above which the activation clips."""
    found = node.attributes.get("maximum")
    return float("inf") if found is None else float(found)


def pooled_behind(graph: Graph) -> Graph:
    """The graph with max pools behind the activations that followed them: max(pool(x), 0) =
    pool(max(x, 0))."""
    swapped: dict[str, Node] = {}
    for node in graph.nodes:
        source = graph.by_name[node.inputs[0]] if node.inputs else node
        alone = graph.users[source.name] == (node.name,) and source.name not in graph.outputs
        if is_activation(node) and kind_of(source).role is Role.POOLING and alone:
            first = swapped[source.inputs[0]]
            swapped[source.name] = replace(
                node, name=source.name, inputs=source.inputs, axes=first.axes
            )
            swapped[node.name] = replace(source, name=node.name, inputs=(source.name,))
        else:
            swapped[node.name] = node
    return graph.with_nodes(swapped.values())


def batches(x: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(x), BATCH):
        yield x[start : start + BATCH]


def thresholds(graph: Graph, x: np.ndarray, percentile: float) -> dict[str, Threshold]:
    """The threshold of every activation, by node.

    Raises:
        DataError: a layer that no sample activates.
    """
    active = [node for node in graph.nodes if is_activation(node)]
    positive: Mapping[str, list[np.ndarray]] = {node.name: [] for node in active}
    if not active:
        return {}
    for part in batches(x):
        for name, value in evaluate(graph, part, record=positive).items():
            values = value.numpy()
            positive[name].append(values[values > 0])
    return {node.name: _threshold(node, positive[node.name], percentile) for node in active}


def _threshold(node: Node, parts: list[np.ndarray], percentile: float) -> Threshold:
    values = np.concatenate(parts).astype(np.float64)
    if not values.size:
        raise DataError(
            f"{node.label}: no calibration sample makes one of its activations positive, so that"
            " there is nothing to balance its threshold on; give other --calibration data"
        )
    chosen = min(float(np.percentile(values, percentile)), limit(node))
    return Threshold(node.label, chosen, float(values.max()), float(np.mean(values > chosen)))
