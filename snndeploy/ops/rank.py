"""top_k: the k largest values along one dimension, in falling order (ASA's masks need the last)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from snndeploy.graph import Axes, Node
from snndeploy.ops.kind import OpKind, feature, has_time, refuse_batch, same


def evaluate(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    return inputs[0].topk(node.attributes["count"], dim=node.attributes["dimension"]).values


def axes(node: Node, inputs: Sequence[Axes]) -> Axes:
    dimension = node.attributes["dimension"]
    refuse_batch([inputs[0][dimension]], "ranks")
    found = list(inputs[0])
    found[dimension] = feature(node.attributes["count"])
    return tuple(found)


def contracts_time(node: Node, inputs: Sequence[Node]) -> bool:
    return has_time(inputs[0].axes[node.attributes["dimension"]])


TOP_K = OpKind("top_k", evaluate, axes, same, contracts_time)
