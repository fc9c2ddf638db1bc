"""NodeCall: one ONNX node as it is run, with its inputs and attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

ABSENT: Any = object()


class Refused(ValueError):
    """Why a node of a known operator cannot be run; its label is added outside."""


@dataclass(frozen=True)
class NodeCall:
    """inputs: tensors that depend on the model's input, arrays that do not, None where left out.

    batch: the fixed batch size of the file, and the one of this run; None where it is free.
    constants: which of the inputs never change.
    """

    operator: str
    inputs: tuple[Any, ...]
    attributes: Mapping[str, Any]
    outputs: int
    batch: tuple[int, int] | None
    constants: frozenset[int]

    def given(self, index: int) -> bool:
        return index < len(self.inputs) and self.inputs[index] is not None

    def data(self, index: int = 0) -> Any:
        """An input as a tensor."""
        if not self.given(index):
            raise Refused(f"its input {index} is missing")
        value = self.inputs[index]
        return torch.from_numpy(value.copy()) if isinstance(value, np.ndarray) else value

    def all_data(self) -> list[Any]:
        return [self.data(index) for index in range(len(self.inputs))]

    def optional(self, index: int) -> Any:
        return self.data(index) if self.given(index) else None

    def numbers(self, name: str, index: int | None = None, default: Any = ABSENT) -> Any:
        """Plain numbers that older opsets have as an attribute and newer ones as an input."""
        if name in self.attributes:
            return self.attributes[name]
        if index is None or not self.given(index):
            if default is ABSENT:
                raise Refused(f"its {name} are missing")
            return default
        value = self.inputs[index]
        if not isinstance(value, np.ndarray):
            raise Refused(f"its {name} are computed from the model's input")
        return tuple(value.reshape(-1).tolist())

    def whole(self, name: str, default: Any = ABSENT) -> int:
        return int(self.numbers(name, None, default))

    def only(self, name: str, *allowed: Any) -> None:
        """Refuse an attribute that has another value than these (or is absent)."""
        value = self.attributes.get(name, allowed[0])
        if value not in allowed:
            raise Refused(f"its {name} is {value!r}; {' or '.join(map(repr, allowed))} is needed")
