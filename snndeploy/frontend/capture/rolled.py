"""Nodes of a rolled program: values of one step for all steps, and ordinary values.

A timed node stands for T values, one a step; its shape is that of one step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from snndeploy.frontend.capture.values import Call, Constant, Given


@dataclass(eq=False)
class Rolled:
    """timed: one value a step."""

    timed: ClassVar[bool] = False

    shape: tuple[int, ...]
    dtype: Any
    module: str

    def sources(self) -> list[Rolled]:
        return []


@dataclass(eq=False)
class Fixed(Rolled):
    value: Constant


@dataclass(eq=False)
class Input(Rolled):
    value: Given


@dataclass(eq=False)
class Whole(Rolled):
    """An ordinary call outside the loop."""

    call: Call
    arguments: dict[str, Any]

    def sources(self) -> list[Rolled]:
        return list(rolled_in(self.arguments.values()))


@dataclass(eq=False)
class Steps(Rolled):
    """The same call at every step.  members: step by step, None where nobody reads it."""

    timed: ClassVar[bool] = True

    call: Call
    members: tuple[Any, ...]
    arguments: dict[str, Any] = field(default_factory=dict)

    def sources(self) -> list[Rolled]:
        return list(rolled_in(self.arguments.values()))


@dataclass(eq=False)
class Numbers(Rolled):
    """A constant of each step.  numbers: one a step, None where they are tensors.  step: the first
    at which it is not the usual one; what is said of it."""

    timed: ClassVar[bool] = True

    numbers: tuple[float, ...] | None
    step: int
    what: str


@dataclass(eq=False)
class Axis(Rolled):
    """The parts of an ordinary value along its dimension of time."""

    timed: ClassVar[bool] = True

    source: Rolled
    along: int

    def sources(self) -> list[Rolled]:
        return [self.source]


@dataclass(eq=False)
class Delay(Rolled):
    """y[t] = x[t - 1], y[0] = initial."""

    timed: ClassVar[bool] = True

    initial: Constant
    source: Rolled | None = None

    def sources(self) -> list[Rolled]:
        return [] if self.source is None else [self.source]


@dataclass(eq=False)
class Together(Rolled):
    """Steps in one value: along a new dimension, or behind each other along one of theirs."""

    source: Rolled
    along: int
    new: bool
    steps: range

    def sources(self) -> list[Rolled]:
        return [self.source]


@dataclass(eq=False)
class Taken(Rolled):
    """One step."""

    source: Rolled
    step: int

    def sources(self) -> list[Rolled]:
        return [self.source]


@dataclass(eq=False)
class Total(Rolled):
    """The sum over some steps."""

    source: Rolled
    steps: range

    def sources(self) -> list[Rolled]:
        return [self.source]


def rolled_in(arguments: Iterable[Any]) -> Iterator[Rolled]:
    for argument in arguments:
        if isinstance(argument, (list, tuple)):
            yield from rolled_in(argument)
        elif isinstance(argument, Rolled):
            yield argument


def reachable(output: Rolled) -> list[Rolled]:
    """Every node that the output needs, sources first except around a cycle."""
    found: list[Rolled] = []
    seen: set[Rolled] = set()
    stack: list[tuple[Rolled, bool]] = [(output, False)]
    while stack:
        node, left = stack.pop()
        if left:
            found.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((source, False) for source in reversed(node.sources()))
    return found
