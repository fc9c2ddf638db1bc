"""input, view, permute, expand, take and concatenate: values keep, places change."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import torch

from snndeploy.graph import Axes, Node, Signal, sizes
from snndeploy.ops.kind import (
    OpKind,
    all_constant,
    feature,
    has_time,
    refuse_batch,
    same,
    widest,
)


def _input(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    raise AssertionError("the input's value is given, not computed")


def input_axes(node: Node, inputs: Sequence[Axes]) -> Axes:
    return node.axes


def input_signal(node: Node, signals: Sequence[Signal], inputs: Sequence[Node]) -> Signal:
    return Signal(node.attributes["signal"], node.attributes.get("bound"), not node.has_time)


def _view(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    return inputs[0].reshape(sizes(node.axes, batch, timesteps))


def _permute(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    return inputs[0].permute(*node.attributes["order"])


def _expand(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    return inputs[0].expand(sizes(node.axes, batch, timesteps))


def permute_axes(node: Node, inputs: Sequence[Axes]) -> Axes:
    return tuple(inputs[0][index] for index in node.attributes["order"])


def given_axes(node: Node, inputs: Sequence[Axes]) -> Axes:
    """The front end works these out from the concrete shapes (`frontend.axes`)."""
    return node.axes


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
    refuse_batch([dimensions[chosen["dimension"]]], "takes a part")
    count = len(range(chosen["start"], chosen["stop"], chosen["step"]))
    dimensions[chosen["dimension"] : chosen["dimension"] + 1] = (
        [] if chosen["drop"] else [feature(count)]
    )
    return tuple(dimensions)


def take_contracts_time(node: Node, inputs: Sequence[Node]) -> bool:
    return has_time(inputs[0].axes[node.attributes["dimension"]])


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
        refuse_batch([axes[along] for axes in inputs], "concatenates")
        joined = sum(prod(size for _, size in axes[along]) for axes in inputs)
    timed = any(has_time(dimension) for axes in inputs for dimension in axes)
    steps = joined == node.attributes["timesteps"] and not timed and along <= 1
    in_front = len(found) in SEQUENCE_RANKS and any(found[1 - along]) if along <= 1 else False
    single = all(node.attributes["new"] or not axes[along] for axes in inputs)
    found[along] = (("time", joined),) if steps and in_front and single else feature(joined)
    return tuple(found)


SEQUENCE_RANKS = (3, 5)  # (time, batch, features) and (time, batch, channels, rows, columns)


def _named(axes: Axes) -> int:
    """How many dimensions are batch or time."""
    return sum(label != "feature" for dimension in axes for label, _ in dimension)


def concatenate_signal(node: Node, signals: Sequence[Signal], inputs: Sequence[Node]) -> Signal:
    bounds = [signal.bound for signal in signals]
    known = None if None in bounds else max(bound for bound in bounds if bound is not None)
    steps = node.has_time and not any(source.has_time for source in inputs)
    return Signal(widest(signals), known, all_constant(signals) and not steps)


def concatenate_contracts_time(node: Node, inputs: Sequence[Node]) -> bool:
    if node.attributes["new"]:
        return False
    return any(has_time(source.axes[node.attributes["dimension"]]) for source in inputs)


INPUT = OpKind("input", _input, input_axes, input_signal)
VIEW = OpKind("view", _view, given_axes, same, linear=True, view=True)
PERMUTE = OpKind("permute", _permute, permute_axes, same, linear=True, view=True)
EXPAND = OpKind("expand", _expand, given_axes, same, linear=True, view=True)
TAKE = OpKind("take", _take, take_axes, same, take_contracts_time)
CONCATENATE = OpKind(
    "concatenate", _concatenate, concatenate_axes, concatenate_signal, concatenate_contracts_time
)
