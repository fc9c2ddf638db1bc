"""Neuron: what every neuron of a chip says about itself, in integers.  A class a kind.

A kind is a frozen dataclass whose fields are its registers, written with `register` (a whole number
within bounds) or an Enum's member.  The record in a program file, the loader's checks
and the single changes that `verify` tries are derived from the fields, and whoever computes a
neuron or says it to another tool gets the whole object: a field cannot be forgotten.

What a kind leaves out is not assumed.  Without a kernel of its own the fast engines take its
reference step; what it does not prove, `--reduce` does not use; a backend says only the kinds on
its own list.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np

from snndeploy.neurons.contract import (
    INPUT,
    MEMBRANE_MAXIMUM,
    MEMBRANE_SHIFT,
    NO_CURRENT_MEMORY,
    WRAP,
    decayed,
    wrap24,
)
from snndeploy.neurons.equation import Equation
from snndeploy.neurons.kernel import Kernel, PlainKernel
from snndeploy.target import Target

Place = Literal["current", "membrane"]
State = Mapping[str, np.ndarray]
Refine = Callable[[np.ndarray], np.ndarray]
"""What attention makes of a membrane: int64, of any shape, to the same."""


def register(low: int, high: int, default: int, words: str = "") -> Any:
    """A field that holds a whole number in low..high; words: what people call it."""
    return dataclasses.field(default=default, metadata={"bounds": (low, high), "words": words})


class Stepped(NamedTuple):
    """After one step: the state, what is sent, and the membrane as it was before the reset."""

    state: State
    payload: np.ndarray
    before: np.ndarray


@dataclass(frozen=True, eq=False)
class Drive:
    """Bounds, int64 (C, H, W), of what a step brings, whatever the input; steps: how many."""

    low: np.ndarray
    high: np.ndarray
    bias_low: np.ndarray
    bias_high: np.ndarray
    steps: int


@dataclass(frozen=True)
class Neuron(ABC):
    """One kind of neuron with its registers.

    name: in program files and messages.     trained: the equation that it computes in integers.
    state: arrays that it carries from step to step, beside the current u; "v" is the membrane.
    attention: places where attention may refine it.
    on_chip: False where the host sends in its stead.     fires: it sends binary spikes.
    """

    name: ClassVar[str]
    trained: ClassVar[type[Equation] | None] = None
    state: ClassVar[tuple[str, ...]]
    attention: ClassVar[frozenset[Place]]
    on_chip: ClassVar[bool] = True
    fires: ClassVar[bool]

    # what it holds and sends

    @property
    def has_membrane(self) -> bool:
        return "v" in self.state

    @property
    def starts(self) -> Mapping[str, int]:
        """What of its state does not start at 0."""
        return {}

    @property
    def current_decay(self) -> int:
        """What the current loses at a step, in parts of 4096; NO_CURRENT_MEMORY: u = a << 6."""
        return NO_CURRENT_MEMORY

    @property
    @abstractmethod
    def payload_bound(self) -> int:
        """Largest |payload| that it may send; 1: spikes; 0: it sends nothing."""

    @property
    def sends(self) -> bool:
        return self.payload_bound > 0

    @property
    def sends_graded(self) -> bool:
        return self.payload_bound > 1

    @property
    def sends_integers(self) -> bool:
        """Are its payloads stored as 32-bit integers, not as spikes?"""
        return self.sends_graded

    @property
    def fires_above(self) -> int | None:
        """The membrane, in units of v, above which it fires; None: it has no threshold."""
        return None

    @abstractmethod
    def state_bits(self, target: Target) -> int:
        """Bits of a core's memory that one neuron's registers take, biases apart."""

    # what it computes: the plain reference, int64 arrays of any shape

    def arriving(
        self, u: np.ndarray, a: np.ndarray, bias: Any, limit: int, counts: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The current u, and the value w = u + bias that the membrane takes in.

        limit: the largest |a| that is no overflow.  counts: overflows, added to.
        """
        current = decayed(u, self.current_decay) + (a << MEMBRANE_SHIFT)
        wrapped = wrap24(current)
        counts[INPUT] += np.count_nonzero(np.abs(a) > limit)
        counts[WRAP] += np.count_nonzero(wrapped != current)
        return wrapped, wrapped + bias

    def step(
        self, state: State, a: np.ndarray, bias: Any, limit: int, counts: np.ndarray
    ) -> Stepped:
        """One chip step; state: by name, "u" besides."""
        u, w = self.arriving(state["u"], a, bias, limit, counts)
        return self.take_in({**state, "u": u}, w, counts)

    @abstractmethod
    def take_in(
        self,
        state: State,
        w: np.ndarray,
        counts: np.ndarray,
        refine: Refine | None = None,
        largest: int = MEMBRANE_MAXIMUM,
    ) -> Stepped:
        """The step after the current: integrate w, refine the membrane, fire, reset.

        largest: where the membrane saturates.
        """

    def kernel(self, where: str) -> Kernel:
        """The same for whole batches, for the fast engines, computed in another way.

        Raises:
            DeployError: registers that it cannot hold; `where` is named.
        """
        return PlainKernel(self)

    # what can be proved of it

    def payload_range(self, drive: Drive | None) -> tuple[Any, Any]:
        """Least and largest payload; drive: bounds of what arrives, None: unknown."""
        return -self.payload_bound, self.payload_bound

    def always_fires(self, drive: Drive) -> np.ndarray:
        """Neurons that fire at every step whatever arrives, bool (C, H, W)."""
        return np.zeros(drive.low.shape, dtype=bool)

    # what `verify` asks

    def real(self, unit: float, like: Equation) -> Equation:
        """The equation of the registers' values; unit: real value of one unit of a.

        like: the trained neuron, for what has no register.

        Raises:
            NotImplementedError: this kind is trained from no equation.
        """
        raise NotImplementedError(f"{self.name} has no equation in real numbers")

    def changes(self) -> Iterator[tuple[str, Neuron]]:
        """Every neuron that differs in one register, with what differs in words."""
        for field in dataclasses.fields(self):
            for value in self.near(field):
                yield (
                    self.said_change(field.name, value),
                    dataclasses.replace(self, **{field.name: value}),
                )

    def near(self, field: dataclasses.Field[Any]) -> list[Any]:
        """Other values of a register that a mistake gives: one off, or any other of an Enum."""
        value = getattr(self, field.name)
        if isinstance(value, Enum):
            return [other for other in type(value) if other is not value]
        low, high = field.metadata["bounds"]
        return [off for off in (value - 1, value + 1) if low <= off <= high]

    def said_change(self, key: str, value: Any) -> str:
        words = words_of(type(self), key)
        if isinstance(value, Enum):
            return f"{words}: the other side's is {value.value}"
        return f"{words}: the other side's register is {value}"


def words_of(kind: type[Neuron], key: str) -> str:
    """What people call a field."""
    field = kind.__dataclass_fields__[key]
    return field.metadata.get("words") or key.replace("_", " ")
