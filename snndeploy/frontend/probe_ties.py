"""Does a neuron fire at a membrane that just equals its threshold?  Only where that can be known.

A module computes its membrane in another order than the equation, so an equality in one is a
rounding away from it in the other.  Currents that meet the threshold exactly are tried in float32
and in float64, in the first step and behind others.  A neuron that does otherwise than it states
at every one of them, in both precisions, and whose threshold is a short binary number, states it
wrongly; one that does otherwise at some is not decided.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from snndeploy.errors import DescriptionError, ModelError
from snndeploy.frontend.neuron_call import call_alone
from snndeploy.graph import Node
from snndeploy.neurons import FiresAt, equation_of
from snndeploy.ops import neuron as neuron_op

FEWEST = 16  # ties behind other steps without which nothing is refused
PRECISIONS = (torch.float32, torch.float64)


@dataclass(frozen=True, eq=False)
class _Ties:
    """Currents, and where by step the membrane equals the threshold for the first time."""

    x: Any
    at: Any


@dataclass
class _Count:
    """Ties in the first step and behind others, and how many of them go against the statement."""

    first: int = 0
    first_against: int = 0
    later: int = 0
    later_against: int = 0

    @property
    def all_against(self) -> bool:
        return self.first == self.first_against > 0 and self.later == self.later_against >= FEWEST


def ties_decided(node: Node, module: Any, shape: list[int], scale: Any = 1.0) -> bool:
    """Is it known that the module's ties are what it states?

    Raises:
        ModelError: it is known that they are not.
    """
    neuron = equation_of(node.attributes)
    counts = []
    for dtype in PRECISIONS:
        ties = _ties(node, shape, dtype, scale)
        with suppress(ModelError):  # a module may hold float32 values of its own
            counts.append(_counted(node, ties, call_alone_on(node, module, ties.x)))
    if len(counts) == len(PRECISIONS) and all(count.all_against for count in counts):
        if float(np.float16(neuron.threshold)) == neuron.threshold:
            fires = int(neuron.fires_at is not FiresAt.AT_LEAST)
            raise DescriptionError(
                f"neuron {node.module!r} does not do what it states ({neuron}): in step 1 it"
                f" returns {fires} where the membrane is {neuron.threshold:.6g}"
            )
    return bool(counts) and all(c.first > 0 and not c.first_against for c in counts)


def call_alone_on(node: Node, module: Any, x: Any) -> Any:
    return call_alone(node, module, x, neuron_op.time_axis(node))


def _ties(node: Node, shape: list[int], dtype: torch.dtype, scale: Any) -> _Ties:
    """Half of the neurons meet the threshold in the first step, the others in a later one, behind
    membranes of whole eighths of the threshold and behind spikes."""
    neuron, axis = equation_of(node.attributes), neuron_op.time_axis(node)
    generator = torch.Generator().manual_seed(1)
    x, at = torch.zeros(shape, dtype=dtype), torch.zeros(shape, dtype=torch.bool)
    zero = torch.zeros_like(x.select(axis, 0))
    due = torch.randint(shape[axis], zero.shape, generator=generator)
    due = torch.where(torch.rand(zero.shape, generator=generator) < 0.5, 0, due)
    state, plain = neuron.rest(zero), torch.as_tensor(scale) == 1.0
    for step in range(shape[axis]):
        eighths = torch.randint(-8, 8, zero.shape, generator=generator)
        eighths = torch.where(torch.rand(zero.shape, generator=generator) < 0.25, 16, eighths)
        part = torch.where(due == step, 8, eighths)
        wanted = neuron.threshold * (part.to(dtype) / 8)
        x.select(axis, step).copy_(
            torch.where(due < step, 0.0, wanted - neuron.charged(state, zero))
        )
        current = x.select(axis, step)
        membrane = neuron.charged(state, current)
        able = neuron.fires(state, 2 * membrane.abs() + 2 * neuron.threshold) > 0
        meets = (due == step) & (membrane == zero + neuron.threshold) & able & plain
        at.select(axis, step).copy_(meets)
        state = neuron.after(state, current, membrane, neuron.fires(state, membrane))
    return _Ties(x, at)


def _counted(node: Node, ties: _Ties, theirs: Any) -> _Count:
    axis = neuron_op.time_axis(node)
    stated = float(equation_of(node.attributes).fires_at is FiresAt.AT_LEAST)
    found = _Count()
    for step in range(ties.x.shape[axis]):
        met = theirs.select(axis, step)[ties.at.select(axis, step)]
        against = int((met != stated).sum())
        if step == 0:
            found.first, found.first_against = met.numel(), against
        else:
            found.later += met.numel()
            found.later_against += against
    return found
