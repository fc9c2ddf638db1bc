"""Values of a traced module: constants, its input, and calls of torch's operators."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

VIEWS = ("aten.view.default", "aten._unsafe_view.default")


@dataclass(eq=False)
class Constant:
    """Known when the model is traced.

    value: a number, or a tensor without repeated entries; one entry alone is kept in float64.
    """

    value: Any
    shape: tuple[int, ...]
    dtype: Any

    @property
    def is_number(self) -> bool:
        return not isinstance(self.value, torch.Tensor)

    @property
    def uniform(self) -> float | None:
        """Its one number, or None where entries differ."""
        if self.is_number:
            return float(self.value)
        return float(self.value) if self.value.numel() == 1 else None


@dataclass(eq=False)
class Given:
    """The model's input."""

    shape: tuple[int, ...]
    dtype: Any


@dataclass(eq=False, repr=False)
class Call:
    """One call of an operator of torch; of several results, the first."""

    target: Any
    arguments: dict[str, Any]
    shape: tuple[int, ...]
    dtype: Any
    module: str
    number: int

    @property
    def name(self) -> str:
        return str(self.target)

    def sources(self) -> list[Value]:
        return list(values_in(self.arguments.values()))


Value = Constant | Given | Call


@dataclass(frozen=True)
class Program:
    """calls: all that the output needs, in the order in which the module made them.

    together: modules that choose for all samples of a batch together; they are read as choosing
    for each sample by itself.
    """

    given: Given
    output: Value
    calls: tuple[Call, ...]
    together: tuple[str, ...] = ()


def values_in(arguments: Iterable[Any]) -> Iterator[Value]:
    for argument in arguments:
        if isinstance(argument, (list, tuple)):
            yield from values_in(argument)
        elif isinstance(argument, (Constant, Given, Call)):
            yield argument


def replaced(argument: Any, by: Callable[[Value], Any]) -> Any:
    """The argument with every value in it replaced."""
    if isinstance(argument, (list, tuple)):
        return [replaced(part, by) for part in argument]
    return by(argument) if isinstance(argument, (Constant, Given, Call)) else argument


def computed(target: Any, arguments: dict[str, Any]) -> Any:
    """One call on tensors; of several results the first.  Views may copy: strides are ours."""
    if str(target) in VIEWS:
        return arguments["self"].reshape(arguments["size"])
    first = arguments.get("self")
    if isinstance(first, (int, float)) and self_is_tensor(target):
        arguments = {**arguments, "self": torch.tensor(first, dtype=torch.float64)}
    found = target(**arguments)
    return found[0] if isinstance(found, (tuple, list)) else found


def self_is_tensor(target: Any) -> bool:
    """Where the operator has an argument of that name, a number in its place is a tensor."""
    return any(a.name == "self" and str(a.type) == "Tensor" for a in target._schema.arguments)


def needed_calls(output: Value) -> tuple[Call, ...]:
    """Calls that the value depends on, in the order in which they were made."""
    found: set[Call] = set()
    stack: list[Value] = [output]
    while stack:
        value = stack.pop()
        if isinstance(value, Call) and value not in found:
            found.add(value)
            stack.extend(value.sources())
    return tuple(sorted(found, key=lambda call: call.number))


def full(value: Any) -> Any:
    """A constant as the tensor (or number) that the module has."""
    return value.value if value.is_number else value.value.to(value.dtype).expand(value.shape)
