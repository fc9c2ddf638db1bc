"""avg_pool and max_pool over equal windows of the plane (no padding in avg_pool; -inf in max_pool).

Pools with other windows become `ops.windows`.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import torch

from snndeploy.connections import Conv, Shape
from snndeploy.connections.algebra import average_pool
from snndeploy.graph import Axes, Block, Node
from snndeploy.ops import common
from snndeploy.ops.call import Call, Translated, pair
from snndeploy.ops.conv import two
from snndeploy.ops.form import Form, Kernel, named_plane, of_named_plane
from snndeploy.ops.kind import (
    Cost,
    Firing,
    OnSpikes,
    OpKind,
    Record,
    Role,
    Summed,
    Trait,
)
from snndeploy.ops.record import extents
from snndeploy.ops.window_tables import adaptive, sliding, tables

MOST_LEVELS = 16  # of counts: a population and a pooling each


def average(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    return torch.nn.functional.avg_pool2d(
        inputs[0], node.attributes["kernel"], node.attributes["stride"]
    )


def maximum(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    return torch.nn.functional.max_pool2d(
        inputs[0],
        node.attributes["kernel"],
        node.attributes["stride"],
        padding=node.attributes["padding"],
    )


def axes(node: Node, inputs: Sequence[Axes]) -> Axes:
    *outer, channels, rows, columns = inputs[0]
    common.refuse_batch((rows, columns), "pools")
    padding = node.attributes.get("padding", (0, 0))
    planes = []
    for index, dimension in enumerate((rows, columns)):
        size = prod(size for _, size in dimension)
        kernel, stride = node.attributes["kernel"][index], node.attributes["stride"][index]
        planes.append(common.feature((size + 2 * padding[index] - kernel) // stride + 1))
    return (*outer, channels, *planes)


def contracts_time(node: Node, inputs: Sequence[Node]) -> bool:
    return any(common.has_time(dimension) for dimension in inputs[0].axes[-2:])


def average_forms(node: Node, inputs: Sequence[Node], shapes: Sequence[Shape]) -> list[Form]:
    plane = named_plane(inputs[0], shapes[0])
    kernel, stride = two(node.attributes["kernel"]), two(node.attributes["stride"])
    return [of_named_plane(Kernel(average_pool(plane[0], kernel, stride), plane), shapes[0])]


def average_summed(node: Node, inputs: Sequence[Node], parts: Sequence[Summed]) -> Summed:
    size = prod(node.attributes["kernel"])
    return Summed(parts[0].window * size, parts[0].ones * size)


def maximum_blocked(node: Node, inputs: Sequence[Node], driven: bool) -> Block | None:
    kind = common.signal_kind(inputs[0])
    if kind == "binary":
        return None
    bound = (inputs[0].signal and inputs[0].signal.bound) or 0
    many = f" up to {bound:g} (counts up to {MOST_LEVELS} can be done)"
    return Block(
        f"takes the maximum of {kind} values{many if bound > MOST_LEVELS else ''}",
        advice="pool behind the neurons, where it takes the maximum of spikes, or average instead",
    )


def any_spike(node: Node, inputs: Sequence[Node], shape: Shape) -> Firing:
    """Of zeros and ones: any spike in the window."""
    chosen = node.attributes
    ones = np.ones((shape[0], 1, *two(chosen["kernel"])))
    return Firing(Conv(ones, two(chosen["stride"]), two(chosen["padding"]), groups=shape[0]), 1)


def average_record(node: Node, inputs: Sequence[Sequence[int]], found: Sequence[int]) -> bool:
    windows = all(extents(node, key, 2, 1) for key in ("kernel", "stride"))
    return windows and len(inputs[0]) in (3, 4)


def maximum_record(node: Node, inputs: Sequence[Sequence[int]], found: Sequence[int]) -> bool:
    padding, kernel = node.attributes["padding"], node.attributes["kernel"]
    small = all(2 * pad <= side for pad, side in zip(padding, kernel, strict=True))
    return average_record(node, inputs, found) and small and extents(node, "padding", 2, 0)


def translate_average(call: Call) -> Translated:
    if call.get("divisor_override") is not None:
        raise ValueError("average pooling with a divisor of its own is not supported")
    padded = bool(call.get("count_include_pad", True))
    return _translated(call, "avg_pool", "mean_windows", padded=padded)


def translate_maximum(call: Call) -> Translated:
    if pair(call.get("dilation", [1, 1])) != [1, 1]:
        raise ValueError("dilated max pooling is not supported")
    return _translated(call, "max_pool", "max_windows", padded=False)


def _translated(call: Call, even: str, uneven: str, *, padded: bool) -> Translated:
    """A pool of equal windows, or the table of all windows."""
    kernel = pair(call.get("kernel_size"))
    stride = pair(call.get("stride") or kernel)
    padding, ceil = pair(call.get("padding", [0, 0])), bool(call.get("ceil_mode", False))
    geometry = list(zip(call.shape[-2:], kernel, stride, padding, strict=True))
    found = [sliding(*axis, ceil=ceil, padded=padded) for axis in geometry]
    as_without = found == [sliding(*axis, ceil=False, padded=padded) for axis in geometry]
    pads = even == "max_pool"
    if as_without and (pads or not any(padding)):
        given = {"padding": padding} if pads else {}
        return Translated(even, {"kernel": kernel, "stride": stride, **given}, {})
    return Translated(uneven, tables(*found), {})


def translate_adaptive_average(call: Call) -> Translated:
    return _adaptive(call, "avg_pool", "mean_windows", {})


def translate_adaptive_maximum(call: Call) -> Translated:
    return _adaptive(call, "max_pool", "max_windows", {"padding": [0, 0]})


def _adaptive(call: Call, even: str, uneven: str, given: dict[str, Any]) -> Translated:
    plane, output = call.shape[-2:], call.result[-2:]
    if any(size % out for size, out in zip(plane, output, strict=True)):
        found = [adaptive(size, out) for size, out in zip(plane, output, strict=True)]
        return Translated(uneven, tables(*found), {})
    kernel = [size // out for size, out in zip(plane, output, strict=True)]
    return Translated(even, {"kernel": kernel, "stride": kernel, **given}, {})


AVERAGE_POOL = OpKind(
    name="avg_pool", role=Role.LINEAR,
    evaluate=average, axes=axes, signal=common.real, contracts_time=contracts_time,
    blocked=common.possible, chip=common.by_form(average_forms),
    cost=Cost(
        summed=average_summed, multiplications=common.one_an_element,
        work=common.additions_of_inputs,
    ),
    traits=Trait.NONE, fixed=common.AVERAGED,
    record=Record(fewest=1, most=1, rule=average_record),
    torch={
        "aten.avg_pool2d.default": translate_average,
        "aten.adaptive_avg_pool2d.default": translate_adaptive_average,
    },
)  # fmt: skip
MAXIMUM_POOL = OpKind(
    name="max_pool", role=Role.POOLING,
    evaluate=maximum, axes=axes, signal=common.same, contracts_time=contracts_time,
    blocked=maximum_blocked, chip=OnSpikes(any_spike), cost=common.MOVED,
    traits=Trait.KEEPS_COUNT, fixed=common.ON_GRID,
    record=Record(fewest=1, most=1, rule=maximum_record),
    torch={
        "aten.max_pool2d.default": translate_maximum,
        "aten.adaptive_max_pool2d.default": translate_adaptive_maximum,
    },
)  # fmt: skip
