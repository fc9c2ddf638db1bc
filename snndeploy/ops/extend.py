"""extend: a plane made larger by what lies at its edges (padding by reflection and the like).

y[q] = x[place(q - before)]

reflect    the plane mirrored at its first and last position, which are not repeated
replicate  the first or last position
circular   the plane from its other end
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from snndeploy.connections import Shape
from snndeploy.connections.algebra import NotComposable
from snndeploy.graph import Node
from snndeploy.ops import common
from snndeploy.ops.conv import pad_axes, pad_contracts_time
from snndeploy.ops.form import Form
from snndeploy.ops.kind import OpKind, Record, Role, Trait
from snndeploy.ops.record import extents

MODES = ("reflect", "replicate", "circular")


def evaluate(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    top, bottom, left, right = node.attributes["padding"]
    return torch.nn.functional.pad(inputs[0], (left, right, top, bottom), node.attributes["mode"])


def forms(node: Node, inputs: Sequence[Node], shapes: Sequence[Shape]) -> list[Form]:
    raise NotComposable(
        f"padding {node.attributes['mode']!r} gives edges weights of their own; zeros have one"
    )


def record(node: Node, inputs: Sequence[Sequence[int]], found: Sequence[int]) -> bool:
    """A plane may not be mirrored or wrapped by more than itself."""
    mode, (top, bottom, left, right) = node.attributes["mode"], node.attributes["padding"]
    rows, columns = inputs[0][-2:]
    most = {"reflect": (rows - 1, columns - 1), "circular": (rows, columns)}.get(mode)
    fits = most is None or (max(top, bottom) <= most[0] and max(left, right) <= most[1])
    return mode in MODES and len(inputs[0]) == 4 and extents(node, "padding", 4, 0) and fits


EXTEND = OpKind(
    name="extend", role=Role.LINEAR,
    evaluate=evaluate, axes=pad_axes, signal=common.same, contracts_time=pad_contracts_time,
    blocked=common.possible, chip=common.by_form(forms), cost=common.MOVED,
    traits=Trait.KEEPS_VALUE | Trait.KEEPS_COUNT, fixed=common.ON_GRID,
    record=Record(fewest=1, most=1, rule=record), torch={},
)  # fmt: skip
