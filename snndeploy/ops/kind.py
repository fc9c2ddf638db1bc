"""OpKind: everything that the compiler knows about an operation, said in one place.

Every other part of the compiler asks the declaration, and has no list of names of its own.  No
field has a default: what an operation does not say is a TypeError where it is declared, and what
it says that it cannot do (None) is refused by name where it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, Flag, auto
from fractions import Fraction
from typing import Any

import numpy as np

from snndeploy.connections import Conv, Shape
from snndeploy.graph import Axes, Block, Node, Signal
from snndeploy.ops.call import Translator
from snndeploy.ops.form import Form

Inputs = Sequence[Node]
Evaluate = Callable[[Node, Sequence[Any], int, int], Any]


class Role(Enum):
    """What an operation is to the compiler."""

    INPUT = auto()
    NEURON = auto()
    LAYER = auto()  # linear, with weights of its own
    VIEW = auto()  # moves values without changing them
    LINEAR = auto()  # linear (affine) in its inputs, step by step, without weights
    FUNCTION = auto()  # of each value
    SELECTION = auto()  # the largest or smallest of several values
    STATISTIC = auto()  # several values, by their own mean and deviation
    POOLING = auto()  # the largest of each window of the plane
    PRODUCT = auto()  # of two signals
    QUOTIENT = auto()  # of two signals


LINEAR_ROLES = (Role.LAYER, Role.VIEW, Role.LINEAR)
DYNAMIC_ROLES = (Role.PRODUCT, Role.QUOTIENT)


class Trait(Flag):
    """What stays of values that mean something, or what they become."""

    NONE = 0
    KEEPS_VALUE = auto()  # a value that attention refines is still that value
    GIVES_ON = auto()  # gates that a value has passed lie behind the result too
    KEEPS_GATE = auto()  # a sum of gates, or one minus a gate, is a gate
    SQUASHES = auto()  # makes a gate of a score
    GATES = auto()  # its result may be meant for products alone
    KEEPS_COUNT = auto()  # whole numbers from 0 stay whole numbers from 0
    SPARES_COUNT = auto()  # whole numbers from 0 pass unchanged
    FINISHES = auto()  # the host may do it to what it reads, behind the last neuron
    CHOOSES = auto()  # its result is the class itself


@dataclass(frozen=True)
class Summed:
    """A value that adds spikes up: value * window is their number; `ones` when all fire at once."""

    window: float
    ones: int | Fraction


@dataclass(frozen=True)
class Work:
    """Of one run of a node or graph on a MAC unit: multiply-accumulates and additions."""

    macs: int
    additions: int


@dataclass(frozen=True, kw_only=True)
class Linear:
    """How a linear operation becomes connections.

    forms: what happens to each input; see `ops.form`.  Raises NotComposable.
    without_constant: the node without what it adds; itself if it adds nothing.
    missing: nodes that compute the result where some of the values given are None, for zero; the
    last one is the result; empty: the one value that is there is the result itself.
    over_time: what it does to the steps of its input: (node, input nodes, T) -> how much of each
    step is in each of its own, float64 (rows, steps), or None: it leaves them as they are.  A row
    a time step, or a single one for a value without time.
    """

    forms: Callable[[Node, Inputs, Sequence[Shape]], Sequence[Form]]
    without_constant: Callable[[Node], Node]
    missing: Callable[[Node, Sequence[Node | None], Inputs], Sequence[Node]]
    over_time: Callable[[Node, Inputs, int], np.ndarray | None] | None


@dataclass(frozen=True, kw_only=True)
class Layer(Linear):
    """What an operation with weights (parameter 'weight') says besides.

    macs: multiply-accumulates for one sample and step, zero padding not taken off (papers' FL).
    valid_macs: the same without the taps outside the image.  fan_out: outputs that one value of
    each position of the source reaches, int64; (height, width) if `shared`, else one number.
    shared: one kernel for every position of a plane.  absorbs: the layer with the node before it
    as a part of itself, or None.
    """

    macs: Callable[[Node, Inputs], int]
    valid_macs: Callable[[Node, Node], int]
    fan_out: Callable[[Node, Node], np.ndarray]
    shared: bool
    absorbs: Callable[[Node, Node], Node | None]


@dataclass(frozen=True)
class Firing:
    """Neurons without memory that fire where at least `level` spikes arrive.

    window: where from (None: the same place).
    """

    window: Conv | None
    level: int


@dataclass(frozen=True)
class OnSpikes:
    """An operation that such neurons compute from sums of spikes.

    firing(node, input_nodes, shape): which; None where it cannot be done so.
    """

    firing: Callable[[Node, Inputs, Shape], Firing | None]


@dataclass(frozen=True, kw_only=True)
class Cost:
    """summed(node, input_nodes, summed inputs of one window) -> Summed | None
        How the result adds up spikes; None: it holds other values.
    multiplications(node, input_nodes) -> int
        Real ones and divisions of one step, of attention as the papers count it exactly.
    work(node, input_nodes, timesteps) -> Work
        Of one run on a MAC unit.
    """

    summed: Callable[[Node, Inputs, Sequence[Summed]], Summed | None]
    multiplications: Callable[[Node, Inputs], int]
    work: Callable[[Node, Inputs, int], Work]


@dataclass(frozen=True, kw_only=True)
class FixedPoint:
    """on_grid: results lie on the grid when the inputs do.  terms: of a sum, the largest factor
    that it puts on a value, and whether weights are among the factors; None: it adds nothing up."""

    on_grid: bool
    terms: Callable[[Node, Any, Any], tuple[float, bool]] | None


@dataclass(frozen=True, kw_only=True)
class Record:
    """What a node of a file must satisfy: number of inputs, and a rule for all else.

    rule(node, shapes of the inputs, shape of the result), samples counted as a prime number.
    """

    fewest: int
    most: int
    rule: Callable[[Node, Sequence[Sequence[int]], Sequence[int]], bool]


@dataclass(frozen=True, kw_only=True)
class OpKind:
    """evaluate(node, inputs, batch, timesteps) -> tensor
        The reference semantics in real numbers, torch tensors in and out.
    axes(node, input_axes) -> Axes
        Which dimensions the result has.  Raises ValueError for dimensions it cannot explain.
    signal(node, input_signals, input_nodes) -> Signal
        What the result is, given what the inputs are.
    contracts_time(node, input_nodes) -> bool
        True when the result at one step needs other steps.
    blocked(node, input_nodes, driven) -> Block | None
        Why the chip cannot do it; driven: behind a layer that reads spikes.
    chip
        How the chip does it: by connections, by neurons without memory, or (None) not at all.
    torch
        The operators of torch that it stands for, each with its translation.
    """

    name: str
    role: Role
    evaluate: Evaluate
    axes: Callable[[Node, Sequence[Axes]], Axes]
    signal: Callable[[Node, Sequence[Signal], Inputs], Signal]
    contracts_time: Callable[[Node, Inputs], bool]
    blocked: Callable[[Node, Inputs, bool], Block | None]
    chip: Linear | OnSpikes | None
    cost: Cost
    traits: Trait
    fixed: FixedPoint | None
    record: Record
    torch: Mapping[str, Translator]

    def __post_init__(self) -> None:
        layer, linear = self.layer is not None, self.linear is not None
        if layer != (self.role is Role.LAYER) or linear != (self.role in LINEAR_ROLES):
            raise TypeError(f"{self.name}: what it is on the chip does not go with {self.role}")

    @property
    def linear(self) -> Linear | None:
        return self.chip if isinstance(self.chip, Linear) else None

    @property
    def layer(self) -> Layer | None:
        return self.chip if isinstance(self.chip, Layer) else None

    @property
    def view(self) -> bool:
        return self.role is Role.VIEW

    def macs(self, node: Node, inputs: Inputs) -> int:
        """Multiply-accumulates of a layer for one sample and step; 0 for any other operation."""
        return 0 if self.layer is None else self.layer.macs(node, inputs)
