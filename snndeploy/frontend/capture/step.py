"""One step of a cycle, in float64, its comparators answered from outside or by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from snndeploy.frontend.capture.cycles import Cycle, Filter, is_comparison, is_rounding
from snndeploy.frontend.capture.operators import LOWER_BOUNDS, short
from snndeploy.frontend.capture.rolled import Fixed, Rolled, Steps
from snndeploy.frontend.capture.values import computed

Values = dict[Rolled, Any]

STRICT = {"gt": True, "lt": True, "ge": False, "le": False}


class Step:
    """The values of a cycle's (or filter's) nodes in one step, given states and inputs.

    shape: of its parameters, with ones where they do not vary; values have probes in front.
    opened: lower bounds let everything through.
    """

    def __init__(self, part: Cycle | Filter) -> None:
        self.part = part
        self.constants: Values = {}
        for node in [*part.order, *part.delays]:
            for source in node.sources():
                if isinstance(source, Fixed):
                    self.constants[source] = _double(source.value.value)
        rank = max(len(node.shape) for node in part.order)
        shape = [1] * rank
        initials = [_double(delay.initial.value) for delay in part.delays]
        for value in (*self.constants.values(), *initials):
            if isinstance(value, torch.Tensor):
                for back in range(1, value.dim() + 1):
                    shape[-back] = max(shape[-back], value.shape[-back])
        self.shape = tuple(shape)

    def run(
        self,
        states: Mapping[Any, Any],
        inputs: Mapping[Rolled, Any],
        forced: Mapping[Any, Any] | None = None,
        *,
        opened: bool = False,
    ) -> Values:
        values: Values = {**self.constants, **inputs, **states}
        for node in self.part.order:
            if forced is not None and node in forced:
                answer = forced[node]
                number = is_rounding(node) or (
                    isinstance(node, Steps) and short(node.call.name) == "heaviside"
                )
                values[node] = answer.to(torch.float64) if number else answer
            else:
                values[node] = self._value(node, values, opened)
        return values

    def _value(self, node: Rolled, values: Values, opened: bool) -> Any:
        assert isinstance(node, Steps)
        arguments = {key: _given(value, values) for key, value in node.arguments.items()}
        if opened and is_lower_bound(node):
            return arguments["self"]
        if node.call.name == "aten._to_copy.default":
            if arguments["dtype"].is_floating_point:
                arguments["dtype"] = torch.float64
        found = computed(node.call.target, arguments)
        return found.to(torch.float64) if found.is_floating_point() else found

    def margin(self, node: Steps, values: Values) -> Any:
        """What is compared with zero: positive where the comparator says yes, or a count is 1."""
        arguments = {key: _given(value, values) for key, value in node.arguments.items()}
        kind, one = short(node.call.name), arguments["self"]
        if is_rounding(node):
            return one / arguments.get("other", 1.0) - 1.0
        if kind == "heaviside":
            return one
        return one - arguments["other"] if kind in ("gt", "ge") else arguments["other"] - one

    def bounded(self, node: Rolled, values: Values) -> Any:
        """What a lower bound is applied to."""
        assert isinstance(node, Steps)
        return _given(node.arguments["self"], values)

    def bound(self, node: Rolled, values: Values) -> Any:
        assert isinstance(node, Steps)
        bound = node.arguments.get("min", node.arguments.get("other", 0.0))
        return torch.as_tensor(_given(bound, values), dtype=torch.float64)

    def after(self, values: Values) -> Values:
        """States of the next step."""
        return {delay: _like(values[delay.source], delay) for delay in self.part.delays}  # type: ignore[index]

    def first(self, probes: int) -> Values:
        """States before the first step."""
        found: Values = {}
        for delay in self.part.delays:
            kind = torch.bool if delay.dtype is torch.bool else torch.float64
            value = torch.as_tensor(_double(delay.initial.value), dtype=kind)
            found[delay] = value.expand(probes, *self.shape)
        return found


def is_lower_bound(node: Rolled) -> bool:
    """max(x, a constant)"""
    if not isinstance(node, Steps) or node.call.name not in LOWER_BOUNDS:
        return False
    if node.call.name == "aten.relu.default":
        return True
    if node.arguments.get("max") is not None:
        return False
    bound = node.arguments.get("min", node.arguments.get("other"))
    return isinstance(bound, (int, float, Fixed)) and not isinstance(node.arguments["self"], Fixed)


def strict(node: Steps) -> bool | None:
    """Does the comparator need more than equality?  None: it answers something between."""
    kind = short(node.call.name)
    if is_rounding(node):
        return False
    if kind != "heaviside":
        return STRICT[kind]
    at_zero = node.arguments["values"]
    value = at_zero.value.uniform if isinstance(at_zero, Fixed) else None
    return {0.0: True, 1.0: False}.get(value) if value is not None else None


def _given(value: Any, values: Values) -> Any:
    if isinstance(value, (list, tuple)):
        return [_given(part, values) for part in value]
    return values[value] if isinstance(value, Rolled) else value


def _double(value: Any) -> Any:
    if isinstance(value, torch.Tensor) and value.is_floating_point():
        return value.detach().to(torch.float64)
    return value


def _like(value: Any, delay: Any) -> Any:
    return value.to(torch.float64) if isinstance(value, torch.Tensor) else value


__all__ = ["Step", "Values", "is_comparison", "is_lower_bound", "is_rounding", "strict"]
