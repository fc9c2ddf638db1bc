"""What makes values of several steps the same up to the step, and the words where they are not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from snndeploy.errors import UnsupportedError
from snndeploy.frontend.capture.values import Call, Constant, Given


class _Any:
    """A step that nobody reads."""

    def __repr__(self) -> str:
        return "ANY"


ANY = _Any()
Column = tuple[Any, ...]


class NotRolled(Exception):
    """Where the steps of a loop first differ."""

    def __init__(self, what: str, module: str, step: int | None = None) -> None:
        super().__init__(what)
        self.what, self.module, self.step = what, module, step

    def refusal(self) -> UnsupportedError:
        where = f" of module {self.module!r}" if self.module else ""
        when = "" if self.step is None else f"step {self.step + 1}{where}: "
        reason = "the steps of its loop over time differ"
        return UnsupportedError(
            f"the loop over time{'' if when else where} does not do the same at every step:"
            f" {when}{self.what}; write every step alike, or describe the neuron with"
            " neuron_parameters()",
            node=self.module,
            reason=reason,
        )


def is_part(value: Any) -> bool:
    return isinstance(value, Call) and value.name == "aten.select.int"


def sort(value: Any) -> str:
    return value.name if isinstance(value, Call) else type(value).__name__


def said(value: Any) -> str:
    if isinstance(value, Call):
        return value.name.removeprefix("aten.").partition(".")[0]
    if isinstance(value, Constant):
        shape = "x".join(map(str, value.shape))
        return f"{value.uniform:g}" if value.uniform is not None else f"another tensor of {shape}"
    return "nothing that is read" if value is ANY else "the input"


def literals(call: Call) -> Any:
    """What a call has besides values, with the places of values."""

    def literal(argument: Any) -> Any:
        if isinstance(argument, (list, tuple)):
            return tuple(literal(part) for part in argument)
        if isinstance(argument, (Constant, Given, Call)):
            return "value"
        return type(argument).__name__, str(argument)

    return tuple((key, literal(value)) for key, value in call.arguments.items())


def unlike(call: Call, usual: Call) -> str:
    """In which number of theirs two calls of an operator differ, where it is one."""
    kept = [(call.arguments.get(key), usual.arguments.get(key)) for key in call.arguments]
    numbers = [pair for pair in kept if all(isinstance(one, (int, float)) for one in pair)]
    other = [(mine, theirs) for mine, theirs in numbers if mine != theirs]
    if len(other) != 1 or call.shape != usual.shape:
        return f"{said(call)} has other numbers or sizes than at other steps"
    ((mine, theirs),) = other
    return f"{said(call)} with {mine:g} where other steps have {theirs:g}"


def turned(values: Sequence[Any], usual: Sequence[Any]) -> list[Any]:
    """The two operands in the order in which they are most like the usual ones."""
    straight = sum(likeness(mine, theirs) for mine, theirs in zip(values, usual, strict=True))
    crossed = likeness(values[0], usual[1]) + likeness(values[1], usual[0])
    return [values[1], values[0]] if crossed > straight else list(values)


def likeness(mine: Any, theirs: Any) -> int:
    """How sure it is that two values are the same one of two steps."""
    if mine is theirs:
        return 4
    if not isinstance(mine, Call) or not isinstance(theirs, Call) or mine.name != theirs.name:
        return 0
    if is_part(mine):
        same = mine.arguments["self"] is theirs.arguments["self"]
        return 4 if same else 1
    alike = mine.module == theirs.module and literals(mine) == literals(theirs)
    constants = [
        one is two
        for one, two in zip(mine.sources(), theirs.sources(), strict=False)
        if isinstance(one, Constant) and isinstance(two, Constant)
    ]
    return 1 + alike + all(constants)
