"""take and concatenate: parts of a value, and values put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np
import torch

from snndeploy.connections import Shape
from snndeploy.connections.algebra import NotComposable
from snndeploy.graph import Axes, Node, Signal
from snndeploy.ops import common
from snndeploy.ops.arrange import translate_view
from snndeploy.ops.axes import SEQUENCE_RANKS
from snndeploy.ops.call import UNCHANGED, Call, Translated, Translator, dimension
from snndeploy.ops.form import Form, Same, adds_nothing, one_input, selected, step_index
from snndeploy.ops.kind import (
    Linear,
    OpKind,
    Record,
    Role,
    Summed,
    Trait,
)
from snndeploy.ops.record import MOST, is_number, is_whole


def _take(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    """Positions start, start + step ... below stop of one dimension; drop: the one, without it."""
    chosen = node.attributes
    kept = inputs[0].narrow(chosen["dimension"], chosen["start"], chosen["stop"] - chosen["start"])
    if chosen["drop"]:
        return kept.squeeze(chosen["dimension"])
    every = torch.arange(0, kept.shape[chosen["dimension"]], chosen["step"])
    return kept.index_select(chosen["dimension"], every)


def take_axes(node: Node, inputs: Sequence[Axes]) -> Axes:
    chosen = node.attributes
    dimensions = list(inputs[0])
    common.refuse_batch([dimensions[chosen["dimension"]]], "takes a part")
    dimensions[chosen["dimension"] : chosen["dimension"] + 1] = (
        [] if chosen["drop"] else [common.feature(len(_positions(node)))]
    )
    return tuple(dimensions)


def _positions(node: Node) -> range:
    return range(node.attributes["start"], node.attributes["stop"], node.attributes["step"])


def take_contracts_time(node: Node, inputs: Sequence[Node]) -> bool:
    return common.has_time(inputs[0].axes[node.attributes["dimension"]])


def take_forms(node: Node, inputs: Sequence[Node], shapes: Sequence[Shape]) -> list[Form]:
    (source,), (shape,), along = inputs, shapes, node.attributes["dimension"]
    if take_contracts_time(node, inputs):
        return [Same(shape)]
    taken = _positions(node)
    rows = np.full(source.shape[along], -1)
    rows[taken] = np.arange(len(taken))
    return [selected(rows, len(taken), source, step_index(source, along), shape)]


def take_over_time(node: Node, inputs: Sequence[Node], timesteps: int) -> np.ndarray | None:
    """A row a step that is taken."""
    if not take_contracts_time(node, inputs):
        return None
    rows: np.ndarray = np.eye(timesteps)[_positions(node)]
    return rows


def take_record(node: Node, inputs: Sequence[Sequence[int]], found: Sequence[int]) -> bool:
    chosen = node.attributes
    along, start, stop = chosen["dimension"], chosen["start"], chosen["stop"]
    inside = is_whole(along, 0, len(inputs[0]) - 1) and is_whole(stop, 1, inputs[0][along])
    stride = is_whole(chosen["step"], 1, MOST) and is_whole(start, 0, stop - 1)
    return inside and stride and (not chosen["drop"] or stop - start == 1)


def translate_select(call: Call) -> Translated:
    along = dimension(call, "dim", 0)
    if call.shape[along] == 1:
        return translate_view(call)
    index = int(call.get("index")) % call.shape[along]
    return Translated("take", _taken(along, index, index + 1, 1, drop=True), {})


def translate_slice(call: Call) -> Translated:
    along = dimension(call, "dim", 0)
    every = range(call.shape[along])[
        slice(call.arguments.get("start"), call.arguments.get("end"), int(call.get("step", 1)))
    ]
    if len(every) == call.shape[along]:
        return UNCHANGED
    if not every:
        raise ValueError("it takes nothing")
    return Translated("take", _taken(along, every.start, every.stop, every.step, drop=False), {})


def _taken(along: int, start: int, stop: int, step: int, *, drop: bool) -> dict[str, Any]:
    return {"dimension": along, "start": start, "stop": stop, "step": step, "drop": drop}


TAKE = OpKind(
    name="take", role=Role.LINEAR,
    evaluate=_take, axes=take_axes, signal=common.same, contracts_time=take_contracts_time,
    blocked=common.possible,
    chip=Linear(
        forms=take_forms, without_constant=adds_nothing, missing=one_input, over_time=take_over_time
    ),
    cost=common.MOVED,
    traits=Trait.KEEPS_COUNT, fixed=common.ON_GRID,
    record=Record(fewest=1, most=1, rule=take_record),
    torch={"aten.select.int": translate_select, "aten.slice.Tensor": translate_slice},
)  # fmt: skip


def _concatenate(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    """Along one dimension, or (new) along one of its own."""
    rank = max(value.dim() for value in inputs)
    shape = [max(sizes_) for sizes_ in zip(*(value.shape for value in inputs), strict=True)]
    along = node.attributes["dimension"]
    if node.attributes["new"]:
        return torch.stack([value.expand(shape) for value in inputs], along)
    full = [
        value.expand([value.shape[i] if i == along else shape[i] for i in range(rank)])
        for value in inputs
    ]
    return torch.cat(full, along)


def concatenate_axes(node: Node, inputs: Sequence[Axes]) -> Axes:
    """Steps made one by one and put together in front are time; anything else is features."""
    along = node.attributes["dimension"]
    named: Axes = max(inputs, key=_named)
    found = list(named)
    if node.attributes["new"]:
        joined = len(inputs)
        found.insert(along, ())
    else:
        common.refuse_batch([axes[along] for axes in inputs], "concatenates")
        joined = sum(prod(size for _, size in axes[along]) for axes in inputs)
    timed = any(common.has_time(dimension) for axes in inputs for dimension in axes)
    steps = joined == node.attributes["timesteps"] and not timed and along <= 1
    sequence = len(found) in SEQUENCE_RANKS or (len(found) == 4 and along == 0)
    in_front = sequence and any(found[1 - along]) if along <= 1 else False
    single = all(node.attributes["new"] or not axes[along] for axes in inputs)
    found[along] = (("time", joined),) if steps and in_front and single else common.feature(joined)
    return tuple(found)


def _named(axes: Axes) -> int:
    """How many dimensions are batch or time."""
    return sum(label != "feature" for dimension in axes for label, _ in dimension)


def concatenate_signal(node: Node, signals: Sequence[Signal], inputs: Sequence[Node]) -> Signal:
    bounds = [signal.bound for signal in signals]
    known = None if None in bounds else max(bound for bound in bounds if bound is not None)
    steps = node.has_time and not any(source.has_time for source in inputs)
    return Signal(common.widest(signals), known, common.all_constant(signals) and not steps)


def concatenate_contracts_time(node: Node, inputs: Sequence[Node]) -> bool:
    if node.attributes["new"]:
        return False
    return any(common.has_time(source.axes[node.attributes["dimension"]]) for source in inputs)


def concatenate_forms(node: Node, inputs: Sequence[Node], shapes: Sequence[Shape]) -> list[Form]:
    """Every part at its channels of the whole, or at its features of a flat one."""
    along = node.attributes["dimension"]
    if node.attributes["new"]:
        raise NotComposable("values put together along a new dimension")
    if node.has_time and not all(source.has_time for source in inputs):
        raise NotComposable("a concatenation of values of one step and of all steps")
    parts = _placed(inputs, shapes, along, flatten=False)
    if len({part.result for part in parts}) > 1:
        parts = _placed(inputs, shapes, along, flatten=True)
    if len({part.result for part in parts}) > 1:
        raise NotComposable("a concatenation of values of different rows and columns")
    return parts


def _placed(
    inputs: Sequence[Node], shapes: Sequence[Shape], along: int, *, flatten: bool
) -> list[Form]:
    starts = np.cumsum([0, *(source.shape[along] for source in inputs)])
    total = int(starts[-1])
    return [
        selected(
            np.arange(first, first + source.shape[along]), total, source,
            step_index(source, along), shape, flatten=flatten,
        )
        for first, source, shape in zip(starts, inputs, shapes, strict=False)
    ]  # fmt: skip


def concatenate_missing(
    node: Node, values: Sequence[Node | None], inputs: Sequence[Node]
) -> list[Node]:
    """Zeros in the place of what is not there, made of one channel of what is."""
    present = next(value for value in values if value is not None)
    along = node.attributes["dimension"]

    def made(name: str, op: str, source: Node, axes: Axes, **attributes: Any) -> Node:
        return Node(f"{node.name}@{name}", op, (source.name,), attributes, axes=axes)

    zero = made("zero", "scale", present, present.axes, factor=0.0, offset=0.0)
    axes = (*zero.axes[:along], common.feature(1), *zero.axes[along + 1 :])
    one = made("one", "take", zero, axes, **_taken(along, 0, 1, 1, drop=False))
    nodes, names = [zero, one], []
    for index, (value, source) in enumerate(zip(values, inputs, strict=True)):
        if value is None:
            value = made(f"zero{index}", "expand", one, source.axes)
            nodes.append(value)
        names.append(value.name)
    return [*nodes, replace(node, inputs=tuple(names))]


def concatenate_summed(node: Node, inputs: Sequence[Node], parts: Sequence[Summed]) -> Summed:
    """On average over the parts."""
    sizes = [prod(source.step_shape) for source in inputs]
    ones = sum(part.ones * size for part, size in zip(parts, sizes, strict=True))
    return Summed(parts[0].window, Fraction(ones, sum(sizes)))


def concatenate_record(node: Node, inputs: Sequence[Sequence[int]], found: Sequence[int]) -> bool:
    """Along a dimension that all have, or a new one; the others stretch to each other."""
    along, new = node.attributes["dimension"], node.attributes["new"]
    rank = len(inputs[0])
    good = all(len(shape) == rank for shape in inputs) and is_number(node.attributes["timesteps"])
    if not good or not is_whole(along, 0, rank - (not new)):
        return False
    others = [tuple(n for i, n in enumerate(shape) if new or i != along) for shape in inputs]
    return np.broadcast_shapes(*others) == tuple(n for i, n in enumerate(found) if i != along)


def _translator(*, new: bool) -> Translator:
    def translate(call: Call) -> Translated:
        if any(isinstance(part, np.ndarray) for part in call.get("tensors")):
            raise ValueError("one of its parts is a stored tensor")
        if len(call.get("tensors")) == 1:
            return translate_view(call) if new else UNCHANGED
        along = dimension(call, "dim", 0, rank=len(call.shape) + new)
        attributes = {"dimension": along, "new": new, "timesteps": call.timesteps}
        return Translated("concatenate", attributes, {})

    return translate


CONCATENATE = OpKind(
    name="concatenate", role=Role.LINEAR,
    evaluate=_concatenate, axes=concatenate_axes, signal=concatenate_signal,
    contracts_time=concatenate_contracts_time, blocked=common.possible,
    chip=Linear(
        forms=concatenate_forms, without_constant=adds_nothing, missing=concatenate_missing,
        over_time=None,
    ),
    cost=replace(common.MOVED, summed=concatenate_summed),
    traits=Trait.KEEPS_COUNT, fixed=common.ON_GRID,
    record=Record(fewest=1, most=MOST, rule=concatenate_record),
    torch={"aten.cat.default": _translator(new=False), "aten.stack.default": _translator(new=True)},
)  # fmt: skip
