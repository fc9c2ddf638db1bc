"""A node's tensor as (samples, steps, *features), and back; with derivatives."""

from __future__ import annotations

from typing import Any

from snndeploy.graph import Node, sizes


def as_steps(node: Node, value: Any, samples: int) -> Any:
    """(samples, steps, *step_shape); steps is 1 where the node has no time."""
    known, order, timed = _layout(node, samples)
    arranged = value.reshape(known).permute(order)
    steps = known[timed] if timed is not None else 1
    return arranged.reshape(samples, steps, *node.step_shape)


def as_value(node: Node, steps: Any, samples: int) -> Any:
    """The reverse, from (samples, steps, ...) of as many values."""
    known, order, _ = _layout(node, samples)
    back = sorted(range(len(order)), key=order.__getitem__)
    arranged = steps.reshape([known[axis] for axis in order]).permute(back)
    return arranged.reshape(sizes(node.axes, samples))


def _layout(node: Node, samples: int) -> tuple[list[int], list[int], int | None]:
    """Sizes of the node's atoms, their order with samples and time first, and which is time."""
    atoms = [atom for dimension in node.axes for atom in dimension]
    known = [samples if label == "batch" else size for label, size in atoms]
    batch = next(index for index, (label, _) in enumerate(atoms) if label == "batch")
    timed = next((index for index, (label, _) in enumerate(atoms) if label == "time"), None)
    first = [batch] if timed is None else [batch, timed]
    order = [*first, *(index for index in range(len(atoms)) if index not in first)]
    return known, order, timed
