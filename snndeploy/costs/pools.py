"""Layers behind a pool, where the papers' rate is not that of what the layer reads.

phi_(n-1) is the rate of the neurons of layer n - 1 (MA-S, ASA-S: LASAR), counted before any pool.
A pool in between leaves fewer values: the maximum of k spikes is 1 when any of them is, so the
pooled plane is up to k times as dense; an average of k spikes, folded into the weights of the layer
behind it, is k spikes that all arrive.  FL * phi counts neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from snndeploy.costs.layers import LayerCost
from snndeploy.graph import Graph, Node
from snndeploy.passes.streams import neurons_before


def behind_pools(graph: Graph, nodes: Sequence[Node]) -> tuple[str, ...]:
    """Names of the layers that read fewer values than each layer of neurons driving them has."""
    return tuple(node.label for node in nodes if _reads_less(graph, node))


def _reads_less(graph: Graph, node: Node) -> bool:
    read = prod(graph.by_name[node.inputs[0]].step_shape)
    driving = [prod(graph.by_name[name].step_shape) for name in neurons_before(graph, node)]
    return bool(driving) and read < min(driving)


def arriving(
    layers: Sequence[LayerCost],
    names: Sequence[str],
    rates: Mapping[str, float],
    events: Sequence[float | None] | None,
) -> tuple[float, ...] | None:
    """Measured events over FL * phi of each named layer; None where they were not all measured."""
    if events is None:
        return None
    found = []
    for layer, seen in zip(layers, events, strict=True):
        if layer.name not in names:
            continue
        formula = layer.flops * sum(rates[name] for name in layer.driving)
        if seen is None or not formula:
            return None
        found.append(seen / formula)
    return tuple(found)
