"""The captured program run as the module wrote it, T copies and all; comparators may be forced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch

from snndeploy.frontend.capture.operators import ROUNDINGS, short
from snndeploy.frontend.capture.values import (
    VIEWS,
    Call,
    Constant,
    Given,
    Program,
    Value,
    computed,
)
from snndeploy.graph import Node
from snndeploy.ops.axes import TRACE_BATCH
from snndeploy.ops.neuron import evaluate

SIZES = {
    **dict.fromkeys(VIEWS, "size"),
    "aten.reshape.default": "shape",
    "aten.expand.default": "size",
}


class Replay:
    """Values of a program on one input of `samples` samples; it was traced with TRACE_BATCH."""

    def __init__(
        self,
        program: Program,
        dtype: torch.dtype,
        described: Sequence[tuple[str, dict[str, Any]]] = (),
        samples: int = TRACE_BATCH,
    ) -> None:
        self.program, self.dtype, self.described = program, dtype, described
        self.samples = samples
        self.constants: dict[Value, Any] = {}
        self.uses: dict[Value, int] = {}
        for call in program.calls:
            for source in call.sources():
                self.uses[source] = self.uses.get(source, 0) + 1
                if isinstance(source, Constant) and source not in self.constants:
                    self.constants[source] = self._constant(source)

    def sizes(self, shape: Sequence[int]) -> list[int]:
        """A traced shape with this number of samples."""
        whole = [divmod(size, TRACE_BATCH) for size in shape]
        return [
            size if odd else per_sample * self.samples
            for size, (per_sample, odd) in zip(shape, whole, strict=True)
        ]

    def run(
        self, x: Any, kept: Iterable[Value], forced: Mapping[Value, Any] | None = None
    ) -> dict[Value, Any]:
        """Values of the calls that are kept, the output included."""
        keep = {*kept, self.program.output}
        values: dict[Value, Any] = {**self.constants, self.program.given: x.to(self.dtype)}
        left = dict(self.uses)
        with torch.no_grad():
            for call in self.program.calls:
                values[call] = self._value(call, values, (forced or {}).get(call))
                for source in call.sources():
                    left[source] -= 1
                    if not left[source] and isinstance(source, Call) and source not in keep:
                        del values[source]
        return {value: values[value] for value in keep}

    def _value(self, call: Call, values: dict[Value, Any], forced: Any) -> Any:
        if forced is not None:
            number = call.name in ROUNDINGS or short(call.name) == "heaviside"
            return forced.to(self.dtype) if number else forced
        arguments = {key: _given(value, values) for key, value in call.arguments.items()}
        if call.name == "snndeploy.neuron.default":
            _, stated = self.described[int(arguments["index"])]
            stated = {key: value for key, value in stated.items() if key != "attention"}
            return evaluate(Node("neuron", "neuron", (), stated), [arguments["x"]], 1, 1)
        if call.name in SIZES:
            arguments[SIZES[call.name]] = self.sizes(arguments[SIZES[call.name]])
        if call.name == "aten._to_copy.default" and arguments["dtype"].is_floating_point:
            arguments["dtype"] = self.dtype
        found = computed(call.target, arguments)
        return found.to(self.dtype) if found.is_floating_point() else found  # where(c, 1.0, 0.0)

    def _constant(self, constant: Constant) -> Any:
        """In the precision of this run, which a folded number may exceed; what is the same for
        every sample, for as many as there are."""
        if constant.is_number:
            return constant.value
        kind = self.dtype if constant.dtype.is_floating_point else constant.dtype
        return constant.value.to(kind).expand(self.sizes(constant.shape))


def stored_sizes(constant: Constant) -> list[int]:
    """Along which a constant is not the same everywhere."""
    return [] if constant.is_number else [size for size in constant.value.shape if size > 1]


def _given(argument: Any, values: Mapping[Value, Any]) -> Any:
    if isinstance(argument, (list, tuple)):
        return [_given(part, values) for part in argument]
    return values[argument] if isinstance(argument, (Constant, Given, Call)) else argument
