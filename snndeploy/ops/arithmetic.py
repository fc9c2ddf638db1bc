"""Element by element: add, subtract, multiply, divide two signals; scale one by constants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import isfinite, prod
from typing import Any

import numpy as np
import torch

from snndeploy.connections import Shape
from snndeploy.connections.algebra import NotComposable
from snndeploy.graph import Axes, Block, Dimension, Node, Signal
from snndeploy.ops import common
from snndeploy.ops.call import UNCHANGED, Call, Translated, Translator, number
from snndeploy.ops.form import Form, Same, Scaled, adds_nothing, one_input
from snndeploy.ops.kind import (
    Cost,
    Linear,
    OpKind,
    Record,
    Role,
    Summed,
    Trait,
    Work,
)
from snndeploy.ops.record import EACH_OF_TWO, broadcasts, numbers


def broadcast_axes(node: Node, inputs: Sequence[Axes]) -> Axes:
    """Dimensions aligned from the right; of two, the named (batch, time) one, else the larger."""
    rank = max(len(axes) for axes in inputs)
    padded = [((),) * (rank - len(axes)) + tuple(axes) for axes in inputs]
    return tuple(_join([axes[index] for axes in padded]) for index in range(rank))


def _join(dimensions: Sequence[Dimension]) -> Dimension:
    def rank(dimension: Dimension) -> tuple[bool, int, bool]:
        named = any(label != "feature" for label, _ in dimension)
        return (named, prod(size for _, size in dimension), bool(dimension))

    return max(dimensions, key=rank)


def _binary(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def evaluate(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
        return function(inputs[0], inputs[1])

    return evaluate


def _translator(op: str) -> Translator:
    """Of two tensors, or of a tensor and a number (scale)."""

    def translate(call: Call) -> Translated:
        if op == "multiply" and (over_time := _weights_of_time(call)):
            return over_time
        if by_channel := _stored_by_channel(call, op):
            return by_channel
        first, second = number(call.arguments.get("self")), number(call.arguments.get("other"))
        alpha = float(call.get("alpha", 1))
        if first is None and second is None:
            if alpha != 1:
                raise ValueError("alpha other than 1 is not supported")
            return Translated(op, {}, {})
        if first is None:
            assert second is not None
            return _scaled(*_SECOND_IS_NUMBER[op](second * alpha))
        if op == "divide":
            raise ValueError("dividing a number by a value computed at run time is not supported")
        return _scaled(*_FIRST_IS_NUMBER[op](first, alpha))

    return translate


def _weights_of_time(call: Call) -> Translated | None:
    """A product with a stored tensor that has one number a time step, and no other dimension."""
    stored = call.array("other") if call.array("self") is None else call.array("self")
    timed = [index for index, axis in enumerate(call.axes) if axis == (("time", call.timesteps),)]
    if stored is None or stored.size == 1 or stored.size != call.timesteps or not timed:
        return None
    aligned = (1,) * (len(call.shape) - stored.ndim) + stored.shape
    if len(aligned) != len(call.shape) or aligned[timed[0]] != stored.size:
        return None
    weights = [float(value) for value in stored.reshape(-1)]
    attributes = {"weights": weights, "time_axis": timed[0], "timesteps": call.timesteps}
    return Translated("weigh", attributes, {})


def _stored_by_channel(call: Call, op: str) -> Translated | None:
    """One number for each place along one dimension, and the same along all others: a norm."""
    second = call.array("self") is None
    stored = call.array("other") if second else call.array("self")
    if stored is None or stored.size == 1 or stored.ndim > len(call.shape):
        return None
    varies = [index for index, size in enumerate(stored.shape) if size > 1]
    along = varies[0] + len(call.shape) - stored.ndim
    if len(varies) != 1 or {label for label, _ in call.axes[along]} != {"feature"}:
        return None
    numbers_, alpha = stored.reshape(-1).astype(np.float64), float(call.get("alpha", 1))
    if op == "divide" and (not second or np.any(numbers_ == 0)):
        raise ValueError("dividing by a value computed at run time, or by zero, is not supported")
    pairs = [
        _SECOND_IS_NUMBER[op](n * alpha) if second else _FIRST_IS_NUMBER[op](n, alpha)
        for n in numbers_
    ]
    scale, shift = (np.array(part) for part in zip(*pairs, strict=True))
    return Translated("norm", {"channel_axis": along}, {"scale": scale, "shift": shift})


# factor and offset of x, when the other operand is a number n
_SECOND_IS_NUMBER: dict[str, Callable[[float], tuple[float, float]]] = {
    "add": lambda n: (1.0, n),
    "subtract": lambda n: (1.0, -n),
    "multiply": lambda n: (n, 0.0),
    "divide": lambda n: (1.0 / n if n else float("inf"), 0.0),
}
_FIRST_IS_NUMBER: dict[str, Callable[[float, float], tuple[float, float]]] = {
    "add": lambda n, alpha: (alpha, n),
    "subtract": lambda n, alpha: (-alpha, n),
    "multiply": lambda n, alpha: (n, 0.0),
}


def _scaled(factor: float, offset: float) -> Translated:
    if not (isfinite(factor) and isfinite(offset)):
        raise ValueError("it multiplies or adds a number that is not finite")
    return Translated("scale", {"factor": factor, "offset": offset}, {})


# sums


def sum_signal(node: Node, signals: Sequence[Signal], inputs: Sequence[Node]) -> Signal:
    if common.widest(signals) == "real":
        return common.real(node, signals, inputs)
    bounds = [signal.bound for signal in signals]
    known = None if None in bounds else sum(b for b in bounds if b is not None)
    return Signal("integer", known, common.all_constant(signals))


def _sum_forms(second: Callable[[Shape], Form]) -> Callable[..., list[Form]]:
    def forms(node: Node, inputs: Sequence[Node], shapes: Sequence[Shape]) -> list[Form]:
        if shapes[0] != shapes[1]:
            raise NotComposable(f"adding values of shapes {shapes[0]} and {shapes[1]}")
        return [Same(shapes[0]), second(shapes[1])]

    return forms


def _negative(shape: Shape) -> Form:
    return Scaled(np.asarray(-1.0), shape)


def _the_other(node: Node, values: Sequence[Node | None], inputs: Sequence[Node]) -> list[Node]:
    return []


def _negated(node: Node, values: Sequence[Node | None], inputs: Sequence[Node]) -> list[Node]:
    """Nothing minus the second."""
    if values[1] is None:
        return []
    negative = {"factor": -1.0, "offset": 0.0}
    return [replace(node, op="scale", inputs=(values[1].name,), attributes=negative)]


def _sum(name: str, function: Any, forms: Any, missing: Any, summed: Any, traits: Trait) -> OpKind:
    return OpKind(
        name=name, role=Role.LINEAR,
        evaluate=_binary(function), axes=broadcast_axes, signal=sum_signal,
        contracts_time=common.never, blocked=common.possible,
        chip=Linear(forms=forms, without_constant=adds_nothing, missing=missing, over_time=None),
        cost=Cost(
            summed=summed, multiplications=common.no_multiplications,
            work=common.additions_of_results,
        ),
        traits=traits, fixed=common.ROUNDED, record=EACH_OF_TWO,
        torch={f"aten.{name[:3]}.Tensor": _translator(name)},
    )  # fmt: skip


ADD = _sum(
    "add", torch.add, _sum_forms(Same), _the_other, common.spikes_added,
    Trait.KEEPS_VALUE | Trait.GIVES_ON | Trait.KEEPS_GATE | Trait.KEEPS_COUNT,
)  # fmt: skip
SUBTRACT = _sum(
    "subtract", torch.sub, _sum_forms(_negative), _negated, common.no_spikes,
    Trait.KEEPS_VALUE | Trait.KEEPS_GATE,
)  # fmt: skip


# products


def multiply_signal(node: Node, signals: Sequence[Signal], inputs: Sequence[Node]) -> Signal:
    kind = common.widest(signals)
    if kind == "real":
        return common.real(node, signals, inputs)
    bounds = [signal.bound for signal in signals]
    known = None
    if None not in bounds:
        known = 1.0
        for bound in bounds:
            known *= bound or 0.0
    return Signal(kind, known, common.all_constant(signals))


def product_multiplications(node: Node, inputs: Sequence[Node]) -> int:
    """A product with an operand of 0 and 1 selects; it is no multiplication."""
    mask = any(source.signal is not None and source.signal.kind != "real" for source in inputs)
    return 0 if mask else common.one_an_element(node, inputs)


def _product(
    name: str, role: Role, function: Any, signal: Any, multiplications: Any, traits: Trait
) -> OpKind:
    verb = "multiplies" if role is Role.PRODUCT else "divides"
    block = Block(f"{verb} two signals computed at run time", "needs_dynamic_multiply")
    return OpKind(
        name=name, role=role,
        evaluate=_binary(function), axes=broadcast_axes, signal=signal,
        contracts_time=common.never, blocked=lambda node, inputs, driven: block, chip=None,
        cost=Cost(
            summed=common.no_spikes, multiplications=multiplications, work=common.macs_of_results
        ),
        traits=traits, fixed=common.ROUNDED, record=EACH_OF_TWO,
        torch={f"aten.{name[:3]}.Tensor": _translator(name)},
    )  # fmt: skip


MULTIPLY = _product(
    "multiply", Role.PRODUCT, torch.mul, multiply_signal, product_multiplications,
    Trait.KEEPS_VALUE | Trait.GATES,
)  # fmt: skip
DIVIDE = _product(
    "divide", Role.QUOTIENT, torch.div, common.real, common.one_an_element, Trait.KEEPS_VALUE
)


# scale


def _scale(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    """factor * x + offset with numbers known at compile time."""
    return inputs[0] * node.attributes["factor"] + node.attributes["offset"]


def scale_signal(node: Node, signals: Sequence[Signal], inputs: Sequence[Node]) -> Signal:
    """Integers times and plus whole numbers stay integers."""
    factor, offset = node.attributes["factor"], node.attributes["offset"]
    (signal,) = signals
    if (factor, offset) == (1.0, 0.0):
        return signal
    if signal.kind == "real" or factor % 1 or offset % 1:
        return common.real(node, signals, inputs)
    bound = None if signal.bound is None else abs(factor) * signal.bound + abs(offset)
    return Signal("integer", bound, signal.constant)


def scale_forms(node: Node, inputs: Sequence[Node], shapes: Sequence[Shape]) -> list[Form]:
    return [Scaled(np.asarray(node.attributes["factor"]), shapes[0])]


def without_offset(node: Node) -> Node:
    if not node.attributes["offset"]:
        return node
    return replace(node, attributes={**node.attributes, "offset": 0.0})


def scale_summed(node: Node, inputs: Sequence[Node], parts: Sequence[Summed]) -> Summed | None:
    factor = node.attributes["factor"]
    if node.attributes["offset"] or factor <= 0:
        return None
    return Summed(parts[0].window / factor, parts[0].ones)


def scale_multiplications(node: Node, inputs: Sequence[Node]) -> int:
    is_real = node.signal is not None and node.signal.kind == "real"
    return (
        common.one_an_element(node, inputs)
        if is_real and abs(node.attributes["factor"]) != 1
        else 0
    )


def scale_work(node: Node, inputs: Sequence[Node], timesteps: int) -> Work:
    return Work(0 if abs(node.attributes["factor"]) == 1 else prod(node.shape), 0)


def scale_record(node: Node, inputs: Sequence[Sequence[int]], found: Sequence[int]) -> bool:
    return numbers(node, "factor", "offset") and broadcasts(node, inputs, found)


def _reversed_subtract(call: Call) -> Translated:
    """other - alpha * self, with a number for other."""
    other = number(call.arguments.get("other"))
    if other is None:
        raise ValueError("subtracting from a value computed at run time is not supported")
    return _scaled(-float(call.get("alpha", 1)), other)


def _chosen(call: Call) -> Translated:
    """a where a comparison says yes, else b: b + (a - b) * [yes]"""
    yes, no = float(call.get("self")), float(call.get("other"))
    return UNCHANGED if (yes, no) == (1.0, 0.0) else _scaled(yes - no, no)


SCALE = OpKind(
    name="scale", role=Role.LINEAR,
    evaluate=_scale, axes=broadcast_axes, signal=scale_signal, contracts_time=common.never,
    blocked=common.possible,
    chip=Linear(
        forms=scale_forms, without_constant=without_offset, missing=one_input, over_time=None
    ),
    cost=Cost(summed=scale_summed, multiplications=scale_multiplications, work=scale_work),
    traits=Trait.KEEPS_VALUE | Trait.KEEPS_GATE, fixed=common.ROUNDED,
    record=Record(fewest=1, most=1, rule=scale_record),
    torch={
        "aten.rsub.Scalar": _reversed_subtract,
        "aten.rsub.Tensor": _reversed_subtract,
        "aten.neg.default": lambda call: _scaled(-1.0, 0.0),
        "aten.where.Scalar": _chosen,
    },
)  # fmt: skip
