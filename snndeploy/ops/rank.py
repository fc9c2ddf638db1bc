"""top_k: the k largest values along one dimension, in falling order (ASA's masks need the last).

top_k_mask: 1 at the places of those values, else 0; of equal values, those that torch.topk takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from snndeploy.graph import Axes, Node, Signal
from snndeploy.ops import common
from snndeploy.ops.call import Call, Translated, dimension
from snndeploy.ops.kind import (
    OpKind,
    Record,
    Role,
    Trait,
)
from snndeploy.ops.record import is_whole


def evaluate(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    return inputs[0].topk(node.attributes["count"], dim=node.attributes["dimension"]).values


def axes(node: Node, inputs: Sequence[Axes]) -> Axes:
    along = node.attributes["dimension"]
    common.refuse_batch([inputs[0][along]], "ranks")
    found = list(inputs[0])
    found[along] = common.feature(node.attributes["count"])
    return tuple(found)


def contracts_time(node: Node, inputs: Sequence[Node]) -> bool:
    return common.has_time(inputs[0].axes[node.attributes["dimension"]])


def record(node: Node, inputs: Sequence[Sequence[int]], found: Sequence[int]) -> bool:
    along = node.attributes["dimension"]
    inside = is_whole(along, 0, len(inputs[0]) - 1)
    return inside and is_whole(node.attributes["count"], 1, inputs[0][along])


def translate(call: Call) -> Translated:
    if not call.get("largest", True):
        raise ValueError("the smallest values are not supported; negate the input")
    attributes = {"count": int(call.get("k")), "dimension": dimension(call, "dim", -1)}
    return Translated("top_k", attributes, {})


TOP_K = OpKind(
    name="top_k", role=Role.SELECTION,
    evaluate=evaluate, axes=axes, signal=common.same, contracts_time=contracts_time,
    blocked=common.on_spikes_alone("ranks"), chip=None, cost=common.FREE,
    traits=Trait.FINISHES, fixed=common.ON_GRID, record=Record(fewest=1, most=1, rule=record),
    torch={"aten.topk.default": translate},
)  # fmt: skip


def evaluate_mask(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    (x,), along = inputs, node.attributes["dimension"]
    return torch.zeros_like(x).scatter(along, x.topk(node.attributes["count"], along).indices, 1.0)


def mask_axes(node: Node, inputs: Sequence[Axes]) -> Axes:
    common.refuse_batch([inputs[0][node.attributes["dimension"]]], "ranks")
    return inputs[0]


def mask_signal(node: Node, signals: Sequence[Signal], inputs: Sequence[Node]) -> Signal:
    return Signal("binary", 1.0, common.all_constant(signals) and not contracts_time(node, inputs))


def translate_mask(call: Call) -> Translated:
    attributes = {"count": int(call.get("count")), "dimension": dimension(call, "dim", -1)}
    return Translated("top_k_mask", attributes, {})


TOP_K_MASK = OpKind(
    name="top_k_mask", role=Role.SELECTION,
    evaluate=evaluate_mask, axes=mask_axes, signal=mask_signal, contracts_time=contracts_time,
    blocked=common.on_spikes_alone("ranks"), chip=None, cost=common.FREE,
    traits=Trait.SQUASHES, fixed=common.ON_GRID, record=Record(fewest=1, most=1, rule=record),
    torch={"snndeploy.top_k_mask.default": translate_mask},
)  # fmt: skip
