"""OpKind: what every operation says about itself.

evaluate(node, inputs, batch, timesteps) -> tensor
    The reference semantics in real numbers, torch tensors in and out.
axes(node, input_axes) -> Axes
    Which dimensions the result has.  Raises ValueError for dimensions it cannot explain.
signal(node, input_signals, input_nodes) -> Signal
    What the result is, given what the inputs are.
contracts_time(node, input_nodes) -> bool
    True when the result at one step needs other steps.
macs(node, input_nodes) -> int
    Multiply-accumulates for one sample and one step, zero padding not taken off (papers' FL).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from snndeploy.graph import KINDS, Axes, Dimension, Kind, Node, Signal

Evaluate = Callable[[Node, Sequence[Any], int, int], Any]


def never(node: Node, inputs: Sequence[Node]) -> bool:
    return False


def no_macs(node: Node, inputs: Sequence[Node]) -> int:
    return 0


@dataclass(frozen=True)
class OpKind:
    name: str
    evaluate: Evaluate
    axes: Callable[[Node, Sequence[Axes]], Axes]
    signal: Callable[[Node, Sequence[Signal], Sequence[Node]], Signal]
    contracts_time: Callable[[Node, Sequence[Node]], bool] = never
    macs: Callable[[Node, Sequence[Node]], int] = no_macs
    linear: bool = False  # linear (affine) in its data inputs, step by step
    view: bool = False  # moves values without changing them


def widest(signals: Sequence[Signal]) -> Kind:
    return KINDS[max(KINDS.index(signal.kind) for signal in signals)]


def all_constant(signals: Sequence[Signal]) -> bool:
    return all(signal.constant for signal in signals)


def real(node: Node, signals: Sequence[Signal], inputs: Sequence[Node]) -> Signal:
    return Signal("real", None, all_constant(signals))


def same(node: Node, signals: Sequence[Signal], inputs: Sequence[Node]) -> Signal:
    return signals[0]


def has_time(dimension: Dimension) -> bool:
    return any(label == "time" for label, _ in dimension)


def feature(size: int) -> Dimension:
    return (("feature", size),)


def refuse_batch(dimensions: Sequence[Dimension], what: str) -> None:
    """Raise ValueError where a sample would see the others."""
    if any(label == "batch" for dimension in dimensions for label, _ in dimension):
        raise ValueError(f"it {what} over the batch dimension, so that samples see each other")
