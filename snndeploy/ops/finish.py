"""softmax, log_softmax and argmax: what a host makes of scores, behind the last neuron."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from snndeploy.graph import Axes, Node, Signal
from snndeploy.ops import common
from snndeploy.ops.arithmetic import broadcast_axes
from snndeploy.ops.call import Call, Translated, dimension
from snndeploy.ops.kind import OpKind, Record, Role, Trait
from snndeploy.ops.record import broadcasts, is_whole


def contracts_time(node: Node, inputs: Sequence[Node]) -> bool:
    return common.has_time(inputs[0].axes[node.attributes["dimension"]])


def axes(node: Node, inputs: Sequence[Axes]) -> Axes:
    common.refuse_batch([inputs[0][node.attributes["dimension"]]], "compares")
    return broadcast_axes(node, inputs)


def record(node: Node, inputs: Sequence[Sequence[int]], found: Sequence[int]) -> bool:
    along = node.attributes["dimension"]
    return is_whole(along, 0, len(inputs[0]) - 1) and broadcasts(node, inputs, found)


def translate(name: str) -> Callable[[Call], Translated]:
    return lambda call: Translated(name, {"dimension": dimension(call, "dim", -1)}, {})


def _softmax(name: str, function: Any) -> OpKind:
    return OpKind(
        name=name, role=Role.FUNCTION,
        evaluate=lambda node, inputs, batch, timesteps: function(
            inputs[0], dim=node.attributes["dimension"]
        ),
        axes=axes, signal=common.real, contracts_time=contracts_time,
        blocked=common.on_spikes_alone(f"applies {name} to"), chip=None, cost=common.FREE,
        traits=Trait.FINISHES, fixed=None, record=Record(fewest=1, most=1, rule=record),
        torch=dict.fromkeys((f"aten.{name}.int", f"aten._{name}.default"), translate(name)),
    )  # fmt: skip


SOFTMAX = _softmax("softmax", torch.softmax)
LOG_SOFTMAX = _softmax("log_softmax", torch.log_softmax)


def argmax(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    return inputs[0].argmax(node.attributes["dimension"]).to(inputs[0].dtype)


def argmax_axes(node: Node, inputs: Sequence[Axes]) -> Axes:
    along = node.attributes["dimension"]
    common.refuse_batch([inputs[0][along]], "compares")
    return tuple(dimension for index, dimension in enumerate(inputs[0]) if index != along)


def argmax_signal(node: Node, signals: Sequence[Signal], inputs: Sequence[Node]) -> Signal:
    most = inputs[0].shape[node.attributes["dimension"]] - 1
    return Signal("integer", float(most), common.all_constant(signals))


def argmax_record(node: Node, inputs: Sequence[Sequence[int]], found: Sequence[int]) -> bool:
    along, given = node.attributes["dimension"], list(inputs[0])
    return is_whole(along, 0, len(given) - 1) and given[:along] + given[along + 1 :] == list(found)


def translate_argmax(call: Call) -> Translated:
    if call.arguments.get("dim") is None or call.get("keepdim", False):
        raise ValueError("argmax over one dimension, without keepdim, is supported")
    return Translated("argmax", {"dimension": dimension(call, "dim", -1)}, {})


ARGMAX = OpKind(
    name="argmax", role=Role.SELECTION,
    evaluate=argmax, axes=argmax_axes, signal=argmax_signal, contracts_time=contracts_time,
    blocked=common.on_spikes_alone("takes the place of the maximum of"), chip=None,
    cost=common.FREE, traits=Trait.FINISHES | Trait.CHOOSES, fixed=None,
    record=Record(fewest=1, most=1, rule=argmax_record),
    torch={"aten.argmax.default": translate_argmax},
)  # fmt: skip
