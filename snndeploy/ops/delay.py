"""delay: y[t] = x[t - steps], and 0 before; every synapse or axon of the chip can wait."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from snndeploy.connections import Shape
from snndeploy.graph import Axes, Node, Signal
from snndeploy.ops import common
from snndeploy.ops.form import Delayed, Form
from snndeploy.ops.kind import OpKind, Record, Role, Trait
from snndeploy.ops.record import is_whole

LONGEST = 1 << 16


def evaluate(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    (x,), axis = inputs, node.attributes["time_axis"]
    length = x.shape[axis]
    waits = min(node.attributes["steps"], length)
    late = x.new_zeros(x.shape)
    late.narrow(axis, waits, length - waits).copy_(x.narrow(axis, 0, length - waits))
    return late


def axes(node: Node, inputs: Sequence[Axes]) -> Axes:
    axis, steps = node.attributes["time_axis"], node.attributes["timesteps"]
    if axis >= len(inputs[0]) or inputs[0][axis] != (("time", steps),):
        raise ValueError(f"dimension {axis} of its input should be the {steps} time steps")
    return inputs[0]


def signal(node: Node, signals: Sequence[Signal], inputs: Sequence[Node]) -> Signal:
    return Signal(signals[0].kind, signals[0].bound, constant=False)


def forms(node: Node, inputs: Sequence[Node], shapes: Sequence[Shape]) -> list[Form]:
    return [Delayed(node.attributes["steps"], shapes[0])]


def record(node: Node, inputs: Sequence[Sequence[int]], found: Sequence[int]) -> bool:
    here = node.attributes
    return is_whole(here["steps"], 1, LONGEST) and is_whole(here["time_axis"], 0, len(found) - 1)


DELAY = OpKind(
    name="delay", role=Role.LINEAR,
    evaluate=evaluate, axes=axes, signal=signal, contracts_time=common.never,
    blocked=common.possible, chip=common.by_form(forms), cost=common.MOVED,
    traits=Trait.KEEPS_COUNT, fixed=common.ON_GRID,
    record=Record(fewest=1, most=1, rule=record),
    torch={},  # modules shift by cat and slices, which the capture of time loops recognises
)  # fmt: skip
