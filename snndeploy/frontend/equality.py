"""Proof that a traced graph computes what the user's module computes.

Two comparisons, each of which names the first module that differs (`neuron_probe` has a third:
every neuron module alone against its equation, on probes that hit the threshold exactly):

  wiring    the module runs once on a random input; the graph runs on the same input and takes every
            neuron's spikes from the module, so that its input currents can be compared at every
            neuron without a rounding difference ever turning into another spike
  spikes    at each neuron our spikes equal the module's; where they first differ, the membrane must
            be within rounding of the threshold

float32 decides when it agrees; only a disagreement is checked again in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from snndeploy.errors import ModelError, one_line
from snndeploy.frontend.neuron_probe import copied, first_wrong
from snndeploy.graph import Graph, Node
from snndeploy.ops.evaluate import evaluate

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-9}  # of 1 + the largest magnitude: rounding


@dataclass
class _Calls:
    """What a module received and returned, call by call, and which calls the graph has matched."""

    inputs: list[Any] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)
    taken: set[int] = field(default_factory=set)


class _Difference(Exception):
    """Where graph and module first differ; the text says how much."""


def verify_equal(graph: Graph, module: Any, example: Any) -> None:
    """Compare graph and module on one random input of the example's shape.

    Raises:
        ModelError: naming the first module that differs.
    """
    x = _random_like(example, graph.input.attributes["signal"])
    try:
        _compare(graph, module, x, torch.float32)
    except _Difference as single:
        try:
            _compare(graph, module, x, torch.float64)
        except _Difference as double:
            raise ModelError(str(double)) from None
        except ModelError:  # float32 values inside the module
            raise ModelError(str(single)) from None


def _compare(graph: Graph, module: Any, x: np.ndarray, dtype: torch.dtype) -> None:
    answer, calls = _recorded(graph, module, x, dtype)
    comparison = _Comparison(graph, calls, TOLERANCE[dtype])
    samples_first = x if x.shape == graph.input.shape else x.swapaxes(0, 1)
    ours = evaluate(
        graph, samples_first, hoist=False, double=dtype == torch.float64, observe=comparison.observe
    )
    found = ours[graph.outputs[0]]
    if not comparison.agree(found, answer):
        raise comparison.difference("the output", found, answer)


def _recorded(
    graph: Graph, module: Any, x: np.ndarray, dtype: torch.dtype
) -> tuple[Any, dict[str, _Calls]]:
    """The module's answer, and the calls of its neurons and innermost modules, by path."""
    model = copied(module).to(dtype).eval()
    neurons = {node.module for node in graph.neurons()}
    calls: dict[str, _Calls] = {}
    for path, child in model.named_modules():
        innermost = path and not list(child.children())
        if path in neurons or innermost:
            calls[path] = _Calls()
            child.register_forward_hook(_keep_output(calls[path]))
        if path in neurons:
            child.register_forward_pre_hook(_keep_input(calls[path]))
    try:
        with torch.no_grad():
            return model(torch.from_numpy(x.copy()).to(dtype)), calls
    except Exception as error:
        raise ModelError(f"the model raises on a random input: {one_line(error)}") from None


def _keep_output(calls: _Calls) -> Callable[..., None]:
    def hook(module: Any, inputs: Any, output: Any) -> None:
        tensor = isinstance(output, torch.Tensor)
        calls.outputs.append(output.detach().clone() if tensor else None)

    return hook


def _keep_input(calls: _Calls) -> Callable[..., None]:
    def hook(module: Any, inputs: Any) -> None:
        tensor = inputs and isinstance(inputs[0], torch.Tensor)
        calls.inputs.append(inputs[0].detach().clone() if tensor else None)

    return hook


class _Comparison:
    """Compares node by node while the graph is evaluated."""

    def __init__(self, graph: Graph, calls: dict[str, _Calls], tolerance: float) -> None:
        self.calls, self.tolerance = calls, tolerance
        self.last = {node.module: node.name for node in graph.nodes}
        self.first: _Difference | None = None

    def observe(self, node: Node, inputs: Sequence[Any], value: Any) -> Any:
        if node.is_neuron:
            return self._neuron(node, inputs[0], value)
        calls = self.calls.get(node.module)
        if calls and len(calls.outputs) == 1 and self.last[node.module] == node.name:
            theirs = calls.outputs.pop()
            if theirs is not None and self.first is None and not self.agree(value, theirs):
                self.first = self.difference(repr(node.module), value, theirs)
        return value

    def _neuron(self, node: Node, current: Any, spikes: Any) -> Any:
        """Compare a neuron's current and spikes with the module's; the graph goes on with those."""
        calls = self.calls[node.module]
        open_calls = [i for i in range(len(calls.inputs)) if i not in calls.taken]
        agreeing = (i for i in open_calls if self.agree(current, calls.inputs[i]))
        index = next(agreeing, None)
        if index is None:
            theirs = calls.inputs[open_calls[0]] if open_calls else None
            raise self.difference(f"the input of {node.module!r}", current, theirs)
        calls.taken.add(index)
        theirs, calls.inputs[index], calls.outputs[index] = calls.outputs[index], None, None
        if theirs is None or theirs.shape != spikes.shape:
            shape = "no tensor" if theirs is None else f"shape {tuple(theirs.shape)}"
            raise _Difference(
                f"neuron {node.module!r} returns {shape} for an input of shape"
                f" {tuple(current.shape)}; one spike for each input value is needed"
            )
        wrong = first_wrong(node, current, spikes, theirs, self.tolerance)
        if wrong:
            raise _Difference(f"neuron {node.module!r} {wrong}")
        return theirs.to(spikes.dtype)

    def agree(self, ours: Any, theirs: Any) -> bool:
        if not isinstance(theirs, torch.Tensor) or ours.numel() != theirs.numel():
            return False
        flat = theirs.reshape(-1).to(ours.dtype)
        scale = 1.0 + float(flat.abs().max())
        return bool((ours.reshape(-1) - flat).abs().max() <= self.tolerance * scale)

    def difference(self, where: str, ours: Any, theirs: Any) -> _Difference:
        """The first difference seen, this one included."""
        if self.first is not None:
            return self.first
        return _Difference(
            f"the traced graph and the model differ first at {where}: {_distance(ours, theirs)};"
            " the model does something there that the trace does not see (a value computed outside"
            " torch, state kept between calls, or an input that a module changes in place)"
        )


def _distance(ours: Any, theirs: Any) -> str:
    if not isinstance(theirs, torch.Tensor):
        return "the model has no tensor there"
    if ours.numel() != theirs.numel():
        return f"shapes {tuple(ours.shape)} and {tuple(theirs.shape)}"
    return f"largest difference {float((ours.reshape(-1) - theirs.reshape(-1)).abs().max()):.3g}"


def _random_like(example: Any, signal: str) -> np.ndarray:
    """One random input, float32: normal, or small non-negative integers for events."""
    generator = np.random.default_rng(0)
    shape = tuple(example.shape)
    if signal == "real":
        return generator.normal(size=shape).astype(np.float32)
    return generator.integers(0, 2 if signal == "binary" else 4, size=shape).astype(np.float32)
