"""group_norm and layer_norm: values normalised by their own mean and deviation.

    y = (x - mean) / sqrt(variance + epsilon) * scale + shift

group_norm: over the values of each group of channels (the second dimension); layer_norm: over the
last dimensions, as many as `scale` has.  Instance normalisation has a group for each channel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np
import torch

from snndeploy.graph import Axes, Block, Dimension, Node
from snndeploy.ops import common
from snndeploy.ops.call import Call, Translated
from snndeploy.ops.kind import Cost, OpKind, Record, Role, Trait, Work
from snndeploy.ops.norm import translate as translate_norm
from snndeploy.ops.record import is_whole, numbers
from snndeploy.tensors import tensor

Over = Callable[[Node, Axes], Sequence[Dimension]]


def grouped(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    groups, epsilon = node.attributes["groups"], node.attributes["epsilon"]
    return torch.nn.functional.group_norm(inputs[0], groups, *_affine(node, inputs[0]), epsilon)


def layered(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    scale, shift = _affine(node, inputs[0])
    return torch.nn.functional.layer_norm(
        inputs[0], scale.shape, scale, shift, node.attributes["epsilon"]
    )


def _affine(node: Node, x: Any) -> tuple[Any, Any]:
    scale, shift = (tensor(node.parameters[key], x.dtype) for key in ("scale", "shift"))
    return scale, shift


def of_channels(node: Node, axes: Axes) -> Sequence[Dimension]:
    return axes[1:]


def of_last(node: Node, axes: Axes) -> Sequence[Dimension]:
    return axes[-node.parameters["scale"].ndim :]


def blocked(node: Node, inputs: Sequence[Node], driven: bool) -> Block:
    return Block(
        "normalises by the mean and deviation of the values themselves",
        advice="use batch normalisation, whose stored statistics fold into the weights, or move it"
        " into the encoder",
    )


def work(node: Node, inputs: Sequence[Node], timesteps: int) -> Work:
    """A square and a product for each value, and the two sums."""
    return Work(2 * prod(node.shape), 2 * prod(node.shape))


def grouped_record(node: Node, inputs: Sequence[Sequence[int]], found: Sequence[int]) -> bool:
    channels, groups = inputs[0][1], node.attributes["groups"]
    whole = is_whole(groups, 1, channels) and channels % groups == 0
    return whole and numbers(node, "epsilon") and _shaped(node, (channels,))


def layered_record(node: Node, inputs: Sequence[Sequence[int]], found: Sequence[int]) -> bool:
    rank = node.parameters["scale"].ndim
    inside = 1 <= rank < len(inputs[0])
    return inside and numbers(node, "epsilon") and _shaped(node, tuple(inputs[0][-rank:]))


def _shaped(node: Node, shape: tuple[int, ...]) -> bool:
    return all(node.parameters[key].shape == shape for key in ("scale", "shift"))


def translate_group(call: Call) -> Translated:
    return _grouped(call, int(call.get("num_groups")))


def translate_instance(call: Call) -> Translated:
    """With running statistics it is batch normalisation; else a group for each channel."""
    if not call.get("use_input_stats"):
        return translate_norm(call)
    return _grouped(call, call.shape[1])


def _grouped(call: Call, groups: int) -> Translated:
    attributes = {"groups": groups, "epsilon": float(call.get("eps", 1e-5))}
    return Translated("group_norm", attributes, _parameters(call, call.shape[1:2]))


def translate_layer(call: Call) -> Translated:
    attributes = {"epsilon": float(call.get("eps", 1e-5))}
    return Translated("layer_norm", attributes, _parameters(call, call.get("normalized_shape")))


def _parameters(call: Call, shape: Sequence[int]) -> dict[str, np.ndarray]:
    scale, shift = call.array("weight"), call.array("bias")
    return {
        "scale": np.ones(shape) if scale is None else scale,
        "shift": np.zeros(shape) if shift is None else shift,
    }


def _kind(
    name: str, evaluate: Callable[..., Any], over: Over, record: Callable[..., bool],
    translators: dict[str, Callable[[Call], Translated]],
) -> OpKind:  # fmt: skip
    def axes(node: Node, inputs: Sequence[Axes]) -> Axes:
        common.refuse_batch(over(node, inputs[0]), "normalises")
        return inputs[0]

    def contracts_time(node: Node, inputs: Sequence[Node]) -> bool:
        return any(map(common.has_time, over(node, inputs[0].axes)))

    return OpKind(
        name=name, role=Role.STATISTIC,
        evaluate=evaluate, axes=axes, signal=common.real, contracts_time=contracts_time,
        blocked=blocked,
        chip=None,
        cost=Cost(
            summed=common.no_spikes, multiplications=common.one_an_element, work=work,
        ),
        traits=Trait.NONE, fixed=None, record=Record(fewest=1, most=1, rule=record),
        torch=translators,
    )  # fmt: skip


GROUP_NORM = _kind(
    "group_norm", grouped, of_channels, grouped_record,
    {
        "aten.group_norm.default": translate_group,
        "aten.instance_norm.default": translate_instance,
    },
)  # fmt: skip
LAYER_NORM = _kind(
    "layer_norm", layered, of_last, layered_record, {"aten.layer_norm.default": translate_layer}
)
