"""Recurrence: what a neuron's spikes of one step add to its input of the next, as a step graph."""

from __future__ import annotations

from typing import Any

import torch

from snndeploy.frontend.capture.affine import AGREEMENT
from snndeploy.frontend.capture.cycles import Cycle
from snndeploy.frontend.capture.fit import Fitted, refused
from snndeploy.frontend.capture.rolled import Delay, Fixed, Rolled, Steps
from snndeploy.frontend.capture.values import computed, full
from snndeploy.frontend.capture.writer import Writer, full_tensor
from snndeploy.frontend.translate import Source, translate
from snndeploy.graph import Graph

aten = torch.ops.aten


def fed_back(cycle: Cycle, fitted: Fitted) -> Graph:
    """
    Raises:
        UnsupportedError: a way back that is longer than a step, reads something else than the
            neuron's spikes, or starts as if it had fired.
    """
    return _Way(cycle, fitted).graph()


class _Way:
    def __init__(self, cycle: Cycle, fitted: Fitted) -> None:
        self.cycle, self.fitted = cycle, fitted
        self.writer = Writer(1)
        exits = cycle.exits[0]
        self.spikes = self.writer.given(exits.shape, "spikes")
        self.quiet = torch.zeros(exits.shape, dtype=torch.float64)
        self.made: dict[Rolled, tuple[Any, Any, int]] = {}
        self.walked: set[Delay] = set()

    def graph(self) -> Graph:
        total = None
        for node in self.cycle.recurrent:
            if node not in self.fitted.gains:
                continue
            value, _, waits = self._value(node)
            if waits != 1:
                raise refused(
                    self.cycle, f"its spikes come back to it after {waits} steps, not one"
                )
            gain = self.fitted.gains[node].reshape(-1)
            if not bool((gain == gain[0]).all()):
                raise refused(self.cycle, "its spikes come back with a factor for every channel")
            if float(gain[0]) != 1:
                value = self.writer.call(aten.mul.Tensor, value, float(gain[0]))
            total = value if total is None else self.writer.call(aten.add.Tensor, total, value)
        assert total is not None
        exported = self.writer.exported(total)
        return translate(exported, Source([], 1, "binary", 0, self.cycle.module))

    def _value(self, node: Rolled) -> tuple[Any, Any, int]:
        """(its call, its value where nothing fired, steps that it waits)."""
        if node not in self.made:
            self.made[node] = self._made(node)
        return self.made[node]

    def _made(self, node: Rolled) -> tuple[Any, Any, int]:
        if node in self.cycle.exits:
            return self.spikes, self.quiet, 0
        if isinstance(node, Delay):
            assert node.source is not None
            if node in self.walked:
                raise refused(self.cycle, "its spikes come back to it through a filter")
            self.walked.add(node)
            value, quiet, waits = self._value(node.source)
            first = torch.as_tensor(full(node.initial)).to(torch.float64)
            room = AGREEMENT * max(1.0, float(quiet.abs().max()))
            if bool(((first - quiet).abs() > 100 * room).any()):
                raise refused(
                    self.cycle, "what comes back in the first step is not that of silence"
                )
            return value, quiet, waits + 1
        if not isinstance(node, Steps):
            raise refused(self.cycle, "its way back reads something else than its spikes")
        calls: dict[str, Any] = {}
        quiets: dict[str, Any] = {}
        ways: set[int] = set()
        for key, argument in node.arguments.items():
            calls[key], quiets[key] = argument, argument
            if isinstance(argument, Fixed):
                stored = full_tensor(argument.value)
                double = stored.to(torch.float64) if stored.is_floating_point() else stored
                calls[key] = self.writer.constant(stored, argument.value)
                quiets[key] = double
                if argument.value.is_number:
                    calls[key] = quiets[key] = argument.value.value
            elif isinstance(argument, Rolled):
                calls[key], quiets[key], waited = self._value(argument)
                ways.add(waited)
        if len(ways) != 1:
            raise refused(self.cycle, "its spikes come back to it on ways of different lengths")
        if quiets.get("dtype") is torch.float32:
            quiets["dtype"] = torch.float64
        call = self.writer.call(node.call.target, module=node.module, **calls)
        return call, computed(node.call.target, quiets), ways.pop()
