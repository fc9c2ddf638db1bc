"""Functions of each value: relu, sigmoid, tanh, floor, round, clamp."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from snndeploy.graph import Node, Signal
from snndeploy.ops import common
from snndeploy.ops.arithmetic import broadcast_axes
from snndeploy.ops.call import Call, Translated, Translator, plain
from snndeploy.ops.kind import (
    FixedPoint,
    OpKind,
    Record,
    Role,
    Trait,
)
from snndeploy.ops.record import EACH, broadcasts, is_number


def integer_signal(node: Node, signals: Sequence[Signal], inputs: Sequence[Node]) -> Signal:
    (signal,) = signals
    return signal if signal.kind != "real" else Signal("integer", None, signal.constant)


def clamp_signal(node: Node, signals: Sequence[Signal], inputs: Sequence[Node]) -> Signal:
    limits = [node.attributes[key] for key in ("minimum", "maximum")]
    (signal,) = signals
    if signal.kind == "real" or any(limit is not None and limit % 1 for limit in limits):
        return common.real(node, signals, inputs)
    if None in limits:
        return Signal("integer", None, signal.constant)
    return Signal("integer", max(abs(limit) for limit in limits), signal.constant)


def clamp_record(node: Node, inputs: Sequence[Sequence[int]], found: Sequence[int]) -> bool:
    limits = [node.attributes[key] for key in ("minimum", "maximum")]
    good = all(limit is None or is_number(limit) for limit in limits) and limits != [None, None]
    return good and broadcasts(node, inputs, found)


def translate_clamp(call: Call) -> Translated:
    limits = [call.get("min"), call.get("max")]
    numbers = [None if limit is None else float(limit) for limit in limits]
    return Translated("clamp", {"minimum": numbers[0], "maximum": numbers[1]}, {})


def translate_hardtanh(call: Call) -> Translated:
    limits = [float(call.get("min_val", -1.0)), float(call.get("max_val", 1.0))]
    return Translated("clamp", {"minimum": limits[0], "maximum": limits[1]}, {})


def translate_relu6(call: Call) -> Translated:
    return Translated("clamp", {"minimum": 0.0, "maximum": 6.0}, {})


def function(
    name: str,
    evaluate: Callable[[Node, Any], Any],
    why_not: str,
    signal: Callable[[Node, Sequence[Signal], Sequence[Node]], Signal],
    traits: Trait,
    fixed: FixedPoint | None,
    record: Record,
    translate: Translator,
    also: Mapping[str, Translator] | None = None,
) -> OpKind:
    """One value in, one out; why_not: what the chip would have to do."""
    return OpKind(
        name=name, role=Role.FUNCTION,
        evaluate=lambda node, inputs, batch, timesteps: evaluate(node, inputs[0]),
        axes=broadcast_axes, signal=signal, contracts_time=common.never,
        blocked=common.on_spikes_alone(why_not), chip=None, cost=common.FREE,
        traits=traits | Trait.FINISHES, fixed=fixed, record=record,
        torch={f"aten.{name}.default": translate, **(also or {})},
    )  # fmt: skip


RELU = function(
    "relu", lambda node, x: torch.relu(x), "applies ReLU to", common.real,
    Trait.KEEPS_VALUE | Trait.GIVES_ON | Trait.SPARES_COUNT, common.ON_GRID, EACH, plain("relu"),
)  # fmt: skip
SIGMOID = function(
    "sigmoid", lambda node, x: torch.sigmoid(x), "applies sigmoid to", common.real,
    Trait.SQUASHES | Trait.GATES, common.ROUNDED, EACH, plain("sigmoid"),
)  # fmt: skip
TANH = function(
    "tanh", lambda node, x: torch.tanh(x), "applies tanh to", common.real,
    Trait.SQUASHES, common.ROUNDED, EACH, plain("tanh"),
)  # fmt: skip
FLOOR = function(
    "floor", lambda node, x: torch.floor(x), "rounds", integer_signal,
    Trait.NONE, common.ROUNDED, EACH, plain("floor"),
)  # fmt: skip
ROUND = function(
    "round", lambda node, x: torch.round(x), "rounds", integer_signal,
    Trait.NONE, common.ROUNDED, EACH, plain("round"),
)  # fmt: skip
CLAMP = function(
    "clamp",
    lambda node, x: torch.clamp(x, node.attributes["minimum"], node.attributes["maximum"]),
    "clips", clamp_signal, Trait.KEEPS_VALUE | Trait.SQUASHES, common.ROUNDED,
    Record(fewest=1, most=1, rule=clamp_record), translate_clamp,
    {"aten.hardtanh.default": translate_hardtanh, "aten.relu6.default": translate_relu6},
)  # fmt: skip
