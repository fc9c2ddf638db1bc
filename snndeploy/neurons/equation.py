"""Equation: a neuron of a trained model, in real numbers.

Its fields are the parameters that a module states (`neuron_parameters()`) and that a graph's node
of operation "neuron" carries as attributes.  Arrays are torch tensors, used by their own methods
only: a program is read without torch.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from snndeploy.target import Target

if TYPE_CHECKING:
    from snndeploy.neurons.neuron import Neuron


class Refusal(NamedTuple):
    """Why a target cannot do a neuron: in one word or two, as a sentence, and the nearest legal
    form; size: how much against which limit."""

    reason: str
    what: str
    advice: str
    size: str = ""


class FiresAt(StrEnum):
    """Whether a membrane that just meets the threshold fires."""

    AT_LEAST = "ge"
    ABOVE = "gt"


class Reset(StrEnum):
    """What a spike does to the membrane: it is cleared, the threshold is subtracted before or after
    the leak, or nothing."""

    HARD = "hard"
    SOFT = "soft"
    SOFT_AFTER = "soft_after"
    NONE = "none"


class WhileRefractory(StrEnum):
    """What arrives behind a spike: it is integrated without firing, or lost."""

    INTEGRATED = "integrated"
    DROPPED = "dropped"


class Suited(NamedTuple):
    """An equation that gives the same spikes and that a chip has, the constant that its input needs
    besides, and how it was changed, in words ('' where it was not)."""

    equation: Equation
    added: float = 0.0
    how: str = ""


@dataclass(frozen=True)
class Equation(ABC):
    """What every trained neuron says about itself; it fires where its membrane meets `threshold`.

    kind: its name in `neuron_parameters()` and in the attributes of nodes.
    """

    kind: ClassVar[str]

    threshold: float
    fires_at: FiresAt

    def faults(self) -> list[str]:
        """Why the parameters make no neuron, each as it follows 'neuron NAME has'."""
        numbers = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        wrong = [
            f"{key} {value}; a finite number is needed"
            for key, value in numbers.items()
            if isinstance(value, float) and not isfinite(value)
        ]
        if not wrong and self.threshold <= 0:
            wrong.append(f"threshold {self.threshold:g}; it must be positive")
        return wrong

    # the reference arithmetic

    @abstractmethod
    def rest(self, current: Any) -> Any:
        """State before the first step; current: any step's input, for shape and type."""

    @abstractmethod
    def charged(self, state: Any, current: Any) -> Any:
        """The membrane U of a step, before it fires."""

    def fires(self, state: Any, membrane: Any) -> Any:
        """Which neurons fire, bool."""
        at_least = self.fires_at is FiresAt.AT_LEAST
        return membrane >= self.threshold if at_least else membrane > self.threshold

    @abstractmethod
    def after(self, state: Any, current: Any, membrane: Any, fired: Any) -> Any:
        """State after the step."""

    @property
    def payload_bound(self) -> int:
        """Most spikes of a step."""
        return 1

    # the way to integers

    @abstractmethod
    def refusals(self, target: Target) -> list[Refusal]:
        """Everything that keeps it off the target's cores; `what` follows 'NAME: '."""

    @abstractmethod
    def registers(self, unit: float, target: Target, name: str) -> Neuron:
        """The neuron of the chip; unit: real value of one unit of a.

        Raises:
            FitError: a register is too narrow; `name` is the population's.
        """

    def suited(self, target: Target) -> Suited:
        """The equation to compute on the target; itself where it knows no other."""
        return Suited(self)

    def unscaled(self, target: Target) -> Neuron | None:
        """A neuron of the kind that computes it on the target, before its registers are known;
        None: the only one that is trained with it."""
        return None

    def program(self, target: Target) -> str:
        """What a neuron program of the target does for it, in words; '' for the fixed neuron."""
        return ""

    def membrane_range(self, most: Any, least: Any, steps: int) -> tuple[float, float] | None:
        """Lowest and highest U that `steps` steps of any input can give, real; None: not known.

        most, least: the largest and the smallest input of a step, float64 (channels,), around 0.
        """
        return None

    def membrane_bound(self, most: Any, least: Any, steps: int) -> float | None:
        """Largest |U| of `membrane_range`."""
        found = self.membrane_range(most, least, steps)
        return None if found is None else max(found[1], -found[0])

    def constants(self) -> list[float]:
        """What besides the input enters the membrane."""
        return []

    def is_exact(self, unit: float, step: float, steps: int, bound: float, target: Target) -> bool:
        """Are all membranes of `steps` steps whole numbers on the chip, and fire where U does?

        unit: real value of one unit of a; step: the grid on which inputs lie; bound: largest |U|
        that any input can give.  False also where nobody has proved it.
        """
        return False

    def off(self, other: Equation) -> dict[str, float]:
        """How far each number is from that of another of its kind, where they differ."""
        numbers = [f.name for f in dataclasses.fields(self) if f.name in vars(other)]
        values = {key: (getattr(self, key), getattr(other, key)) for key in numbers}
        return {
            key: abs(one - two)
            for key, (one, two) in values.items()
            if isinstance(one, float) and one != two
        }

    @abstractmethod
    def __str__(self) -> str:
        """What it states, for a message about a module that does something else."""
