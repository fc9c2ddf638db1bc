"""A call of one of torch's operators, as an operation translates it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from snndeploy.graph import Axes


@dataclass(frozen=True)
class Call:
    """One traced call: positional arguments by schema name, arrays for parameters.

    shape, axes: of the first data input; shape is concrete.  result: concrete shape of the result.
    """

    target: str
    arguments: dict[str, Any]
    shape: tuple[int, ...]
    axes: Axes = ()
    result: tuple[int, ...] = ()
    timesteps: int = 1

    def get(self, name: str, default: Any = None) -> Any:
        value = self.arguments.get(name, default)
        return default if value is None else value

    def array(self, name: str) -> np.ndarray | None:
        value = self.arguments.get(name)
        return value if isinstance(value, np.ndarray) else None


class Translated(NamedTuple):
    """op '': the call changes nothing.  axes: None where the operation's rule gives them."""

    op: str
    attributes: Mapping[str, Any]
    parameters: Mapping[str, np.ndarray]
    axes: Axes | None = None


Translator = Callable[[Call], Translated]
"""Raises ValueError, with the reason, for a call that it cannot express."""

UNCHANGED = Translated("", {}, {})


def plain(op: str) -> Translator:
    return lambda call: Translated(op, {}, {})


def pair(value: Any) -> list[int]:
    values = [int(v) for v in value] if isinstance(value, (list, tuple)) else [int(value)]
    return values * 2 if len(values) == 1 else values


def weights(call: Call) -> dict[str, np.ndarray]:
    """The parameters 'weight' and 'bias' of a layer."""
    weight, bias = call.array("weight"), call.array("bias")
    if weight is None:
        raise ValueError("its weight is computed at run time")
    return {"weight": weight} if bias is None else {"weight": weight, "bias": bias}


def number(value: Any) -> float | None:
    """A number known at compile time, or None for a tensor computed at run time."""
    if isinstance(value, np.ndarray):
        first = float(value.flat[0])
        if np.any(value != value.flat[0]):
            raise ValueError("a stored tensor that varies along more than the channels is no norm")
        return first
    return float(value) if isinstance(value, (int, float)) else None


def dimension(call: Call, name: str, default: int, *, rank: int = 0) -> int:
    """A dimension's index, counted from the front."""
    return int(call.get(name, default)) % (rank or len(call.shape))
