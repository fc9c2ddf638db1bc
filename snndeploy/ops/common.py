"""What several operations say of themselves: rules for `ops.kind.OpKind`'s parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from snndeploy.graph import KINDS, Block, Dimension, Kind, Node, Signal
from snndeploy.ops.form import Forms, adds_nothing, one_input
from snndeploy.ops.kind import Cost, FixedPoint, Inputs, Linear, Summed, Work


def never(node: Node, inputs: Inputs) -> bool:
    return False


def widest(signals: Sequence[Signal]) -> Kind:
    return KINDS[max(KINDS.index(signal.kind) for signal in signals)]


def all_constant(signals: Sequence[Signal]) -> bool:
    return all(signal.constant for signal in signals)


def real(node: Node, signals: Sequence[Signal], inputs: Inputs) -> Signal:
    return Signal("real", None, all_constant(signals))


def same(node: Node, signals: Sequence[Signal], inputs: Inputs) -> Signal:
    return signals[0]


def has_time(dimension: Dimension) -> bool:
    return any(label == "time" for label, _ in dimension)


def feature(size: int) -> Dimension:
    return (("feature", size),)


def refuse_batch(dimensions: Sequence[Dimension], what: str) -> None:
    """Raise ValueError where a sample would see the others."""
    if any(label == "batch" for dimension in dimensions for label, _ in dimension):
        raise ValueError(f"it {what} over the batch dimension, so that samples see each other")


def signal_kind(node: Node) -> Kind:
    assert node.signal is not None
    return node.signal.kind


def possible(node: Node, inputs: Inputs, driven: bool) -> None:
    """The chip can do it."""


def on_spikes_alone(what: str) -> Callable[[Node, Inputs, bool], Block]:
    return lambda node, inputs, driven: Block(f"{what} values that are not spikes")


def behind_spikes(node: Node, inputs: Inputs, driven: bool) -> Block | None:
    """A layer that no spike drives multiplies."""
    return None if driven else Block(f"multiplies {signal_kind(inputs[0])} values")


def no_spikes(node: Node, inputs: Inputs, parts: Sequence[Summed]) -> None:
    """The result holds other values."""


def spikes_added(node: Node, inputs: Inputs, parts: Sequence[Summed]) -> Summed:
    return Summed(parts[0].window, sum(part.ones for part in parts))


def no_multiplications(node: Node, inputs: Inputs) -> int:
    return 0


def one_an_element(node: Node, inputs: Inputs) -> int:
    return prod(node.step_shape)


def no_work(node: Node, inputs: Inputs, timesteps: int) -> Work:
    return Work(0, 0)


def macs_of_results(node: Node, inputs: Inputs, timesteps: int) -> Work:
    return Work(prod(node.shape), 0)


def additions_of_results(node: Node, inputs: Inputs, timesteps: int) -> Work:
    return Work(0, prod(node.shape))


def additions_of_inputs(node: Node, inputs: Inputs, timesteps: int) -> Work:
    return Work(0, prod(inputs[0].shape))


def layer_work(macs: Callable[[Node, Inputs], int]) -> Callable[[Node, Inputs, int], Work]:
    def work(node: Node, inputs: Inputs, timesteps: int) -> Work:
        return Work(macs(node, inputs) * (timesteps if node.has_time else 1), 0)

    return work


FREE = Cost(summed=no_spikes, multiplications=no_multiplications, work=no_work)
MOVED = Cost(summed=spikes_added, multiplications=no_multiplications, work=no_work)


def by_form(forms: Forms) -> Linear:
    """Linear in one input, without a constant, step by step."""
    return Linear(forms=forms, without_constant=adds_nothing, missing=one_input, over_time=None)


ON_GRID = FixedPoint(on_grid=True, terms=None)
ROUNDED = FixedPoint(on_grid=False, terms=None)
AVERAGED = FixedPoint(
    on_grid=False, terms=lambda node, x, value: (x.numel() / max(value.numel(), 1), False)
)


def _weighted(node: Node, x: Any, value: Any) -> tuple[float, bool]:
    weight = node.parameters["weight"]
    return float(np.abs(weight.reshape(len(weight), -1)).sum(1).max()), True


WEIGHTED = FixedPoint(on_grid=False, terms=_weighted)
