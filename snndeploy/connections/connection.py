"""Connection: what a way of wiring two populations declares, and what follows from it for all.

Every connection is *separable*: the number of synapses from the source neuron (c, y, x) into a
box of target neurons (channels, rows, columns) is

    channel_reach[c] * axis_reach(rows)[y] * axis_reach(columns)[x]

so that short vectors stand for all synapses, and none is ever written out.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from snndeploy.connections.shape import Shape

Range = tuple[int, int]
Taps = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Connection(ABC):
    """Synapses from a population of some shape.  A subclass says everything about its kind.

    weight: integer mantissas, real numbers before quantization, (target channels, source channels
    of a group, ...): the further axes are the subclass's own.

    Names that a subclass gives (without them it is refused when it is defined):
      kind    its name in program files and refusals.
      fields  (count, least) of each further field of the dataclass: a whole number of at least
              `least` (count 0), or a tuple of `count` of them.
    """

    weight: np.ndarray

    kind: ClassVar[str]
    fields: ClassVar[Mapping[str, tuple[int, int]]]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        missing = [name for name in ("kind", "fields") if not hasattr(cls, name)]
        if missing:
            raise TypeError(f"connection {cls.__name__} does not say its {missing[0]}")

    # --- what it computes -----------------------------------------------------------------------

    @abstractmethod
    def output_shape(self, source: Shape) -> Shape:
        """Shape of the population that it reaches."""

    @abstractmethod
    def fault(self, source: Shape) -> str:
        """Why it cannot read a source of this shape, as words behind its name; '' when it can."""

    @abstractmethod
    def sums(self, payload: np.ndarray) -> np.ndarray:
        """The plain reference: (samples, C, H, W) integers to int64 sums (samples, C', H', W')."""

    @abstractmethod
    def real_sums(self, payload: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """The sums with other weights, in the float type of the payload and in any shape."""

    @abstractmethod
    def multiplications(self, source: Shape) -> int:
        """Multiplications that one frame costs `real_sums`, roughly."""

    @abstractmethod
    def with_weight(self, weight: np.ndarray, groups: int | None = None) -> Self:
        """The same geometry with other weights, in so many groups (default: as many as now)."""

    # --- whom it wires --------------------------------------------------------------------------

    @property
    @abstractmethod
    def groups(self) -> int:
        """Equal groups of source channels, in order; each feeds as many target channels, alone."""

    @abstractmethod
    def axis_table(self, source: Shape, axis: int) -> np.ndarray:
        """Cumulative taps along one axis (0: rows, 1: columns), int32 (target size + 1, source
        size): row b minus row a says how often target positions a..b-1 read a source position."""

    @abstractmethod
    def taps(self, source: Shape, axis: int) -> Taps:
        """(tap, source position, target position) wherever a tap along one axis joins the two,
        int64 each.  A convolution also has those beyond its plane's far edge, where a core that is
        cut like its neighbours holds neurons that nobody reads (`Tile.share`)."""

    @property
    @abstractmethod
    def tap_weight(self) -> np.ndarray:
        """The weight as (targets, source channels of a group, taps along rows, along columns)."""

    @property
    @abstractmethod
    def shared_by_position(self) -> bool:
        """Whether one axon can serve all channels of a source position (a population axon)."""

    @property
    @abstractmethod
    def shared_lists(self) -> tuple[int, int] | None:
        """Weight lists that a core stores for one source channel, and weights of each for one
        target channel, however many positions the core holds; None: no position shares weights."""

    @property
    @abstractmethod
    def sparse(self) -> bool:
        """Whether lists of single source neurons must name their targets."""

    @property
    @abstractmethod
    def has_plane(self) -> bool:
        """Whether its targets have rows and columns."""

    @abstractmethod
    def one_to_one(self, channels: int) -> bool:
        """Whether each of its targets reads the source's neuron of its own place, and no other."""

    # --- what its sums can reach ----------------------------------------------------------------

    @abstractmethod
    def neuron_sums(self, values: np.ndarray) -> np.ndarray:
        """For each target channel, values of the weight's shape summed over the synapses of a
        neuron that has the most, (target channels,); values are not negative."""

    @abstractmethod
    def tap_sums(self, source: Shape, taps: np.ndarray) -> np.ndarray:
        """Sums of the taps inside the source, for every target neuron (C', H', W').

        taps: of the weight's shape without its second axis: source channels are added up."""

    # --- what follows ---------------------------------------------------------------------------

    def axis_reach(self, source: Shape, axis: int, target: Range) -> np.ndarray:
        """How often target positions of a range read each source position, int32 (source size,)."""
        table = self.axis_table(source, axis)
        return table[target[1]] - table[target[0]]

    def group_reach(self, target: Range) -> np.ndarray:
        """Target channels of a range that each group of source channels feeds, int64 (groups,)."""
        each = len(self.weight) // self.groups
        first = np.arange(self.groups, dtype=np.int64) * each
        return np.clip(np.minimum(target[1], first + each) - np.maximum(target[0], first), 0, None)

    def channel_reach(self, channels: int, target: Range) -> np.ndarray:
        """The same for each of the source's channels, int64 (channels,)."""
        return np.repeat(self.group_reach(target), channels // self.groups)

    def fan_out(self, source: Shape) -> np.ndarray:
        """Synapses that one spike of each source neuron triggers, int64 (height, width).

        The same for every channel, as groups split the targets evenly.
        """
        rows, columns = (self.axis_table(source, axis)[-1].astype(np.int64) for axis in (0, 1))
        return np.outer(rows, columns) * (len(self.weight) // self.groups)

    def synapses(self, source: Shape) -> int:
        """All of them, as if expanded: every tap inside the source, zero weights included."""
        return int(self.fan_out(source).sum()) * source[0]

    def counted_taps(self, channels: int, target: Range, *, zeros: bool) -> np.ndarray:
        """Target channels of a range that each source channel feeds through each tap, int32
        (channels, taps along rows, taps along columns).

        channels: of the source.  zeros: whether weights of zero count.
        """
        weight = self.tap_weight
        if zeros:
            each = self.channel_reach(channels, target).astype(np.int32)
            return np.broadcast_to(each[:, None, None], (channels, *weight.shape[2:]))
        if self.groups == 1:
            found: np.ndarray = (weight[slice(*target)] != 0).sum(axis=0, dtype=np.int32)
            return found
        total = np.zeros((len(weight) + 1, *weight.shape[1:]), dtype=np.int32)
        np.cumsum(weight != 0, axis=0, out=total[1:])
        first = np.arange(self.groups) * (len(weight) // self.groups)
        last = first + len(weight) // self.groups
        found = total[np.clip(target[1], first, last)] - total[np.clip(target[0], first, last)]
        return found.reshape(channels, *weight.shape[2:])

    @cached_property
    def significant_bits(self) -> int | None:
        """Bits that hold every weight: two's complement where signs mix, magnitudes elsewhere.

        Factors of two that all weights share are left out, as lava-dl's `optimize_weight_bits`
        leaves them to the exponent.  None where all are zero, as a structure has them before there
        are weights, or not integers yet.
        """
        weight = self.weight
        if weight.dtype.kind not in "iu" or not weight.any():
            return None
        low, high = int(weight.min()), int(weight.max())
        every = int(np.bitwise_or.reduce(weight, axis=None))  # two's complement keeps the factors
        factor = every & -every
        if low < 0 < high:
            return 1 + max((-low // factor - 1).bit_length(), (high // factor).bit_length())
        return (max(-low, high) // factor).bit_length()

    @property
    def fan_in(self) -> int:
        """Synapses of one target neuron, at most."""
        return int(self.neuron_sums(np.ones((1, *self.weight.shape[1:]), dtype=np.int64))[0])

    def reach(self, weight: np.ndarray, payload: int) -> np.ndarray:
        """(2, target channels): the largest positive and negative sums that payloads can cause.

        weight: in place of its own, integers or reals.  Spikes (payload 1) only add; graded
        payloads have either sign.
        """
        wide = weight.astype(np.int64 if weight.dtype.kind in "iu" else np.float64)
        if payload > 1:
            both = self.neuron_sums(np.abs(wide)) * payload
            return np.stack([both, both])
        return np.stack([self.neuron_sums(np.maximum(part, 0)) for part in (wide, -wide)])

    def kept(self, source: np.ndarray | None, target: np.ndarray | None) -> Self:
        """The part between some source and target channels (None: all).  Of several groups whole
        ones go, on both sides, so that the inputs of the others are as they were."""
        weight = self.weight if target is None else self.weight[target]
        if self.groups > 1:
            return self.with_weight(weight, len(weight) * self.groups // len(self.weight))
        weight = weight if source is None else weight[:, source]
        return self.with_weight(np.ascontiguousarray(weight))
