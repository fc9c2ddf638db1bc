"""Proof that a traced graph computes what the user's module computes.

Two comparisons, each of which names the first module that differs (`neuron_probe` has a third:
every neuron module alone against its equation):

  wiring    the module runs on a random input; the graph runs on the same input and takes what every
            neuron sends from the module, so that its input currents can be compared at every
            neuron without a rounding difference ever turning into another spike
  spikes    at each neuron our spikes equal the module's; where they first differ, the membrane must
            be within rounding of the threshold

A silent layer shows nothing, so further inputs follow until every layer fires, and not everywhere
(`proof_inputs`).  float32 decides when it agrees; only a disagreement is checked again in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch.utils._pytree import tree_leaves

from snndeploy.errors import ModelError, one_line
from snndeploy.frontend.copying import copied
from snndeploy.frontend.neuron_call import (
    bound_arguments,
    checked_spikes,
    says_something,
    spikes_of,
    undescribed,
)
from snndeploy.frontend.neuron_probe import first_wrong, scaled_in_front, through
from snndeploy.frontend.proof_inputs import (
    DRIVES,
    Drive,
    Liveliness,
    RandomSpikes,
    driving_input,
)
from snndeploy.graph import Graph, Node
from snndeploy.neurons import equation_of
from snndeploy.ops.evaluate import evaluate

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-9}  # of 1 + the largest magnitude: rounding


@dataclass
class _Calls:
    """What a module received, returned and sent on, call by call; which calls the graph has
    matched; and by name what a neuron was given besides its currents."""

    inputs: list[Any] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)
    sent: list[Any] = field(default_factory=list)
    taken: set[int] = field(default_factory=set)
    more: set[str] = field(default_factory=set)


class _Difference(Exception):
    """Where graph and module first differ; the text says how much."""


def verify_equal(graph: Graph, module: Any, example: Any) -> Liveliness:
    """Compare graph and module on random inputs of the example's shape; gives how layers fired.

    Raises:
        ModelError: naming the first module that differs.
    """
    signal, lively = graph.input.attributes["signal"], Liveliness()
    for drive in DRIVES:
        x = driving_input(example, signal, drive)
        try:
            _compare(graph, module, x, drive, lively, torch.float32)
        except _Difference as single:
            try:
                _compare(graph, module, x, drive, lively, torch.float64)
            except _Difference as double:
                raise ModelError(str(double)) from None
            except ModelError:  # float32 values inside the module
                raise ModelError(str(single)) from None
        if lively.enough():
            break
    return lively


def _compare(
    graph: Graph,
    module: Any,
    x: np.ndarray,
    drive: Drive,
    lively: Liveliness,
    dtype: torch.dtype,
) -> None:
    answer, calls = _recorded(graph, module, x, drive, dtype)
    if drive is not DRIVES[0] and not _finite(answer):
        return  # the model is not made for such values
    comparison = _Comparison(graph, calls, TOLERANCE[dtype])
    samples_first = x if x.shape == graph.input.shape else x.swapaxes(0, 1)
    ours = evaluate(
        graph, samples_first, hoist=False, double=dtype == torch.float64, observe=comparison.observe
    )
    theirs = returned(answer)
    for index, name in enumerate(graph.outputs):
        if not comparison.agree(ours[name], theirs[index]):
            where = f"output {index + 1}" if index else "the output"
            raise comparison.difference(where, ours[name], theirs[index])
    for node, spikes in comparison.spikes:
        lively.add(node, spikes)


def returned(answer: Any) -> list[Any]:
    """The tensors of what a model returns, in the order of the graph's outputs."""
    return [leaf for leaf in tree_leaves(answer) if leaf is not None]


def _finite(answer: Any) -> bool:
    tensors = (leaf for leaf in returned(answer) if isinstance(leaf, torch.Tensor))
    return all(bool(tensor.isfinite().all()) for tensor in tensors)


def _recorded(
    graph: Graph, module: Any, x: np.ndarray, drive: Drive, dtype: torch.dtype
) -> tuple[Any, dict[str, _Calls]]:
    """The module's answer, and the calls of its neurons and innermost modules, by path.

    Raises:
        ModelError: it raises, or gives a neuron what its description does not state.
    """
    model = copied(module).to(dtype).eval()
    most = {node.module: equation_of(node.attributes).payload_bound for node in graph.neurons()}
    random = None if drive.spike_rate is None else RandomSpikes(drive.spike_rate)
    calls: dict[str, _Calls] = {}
    for path, child in model.named_modules():
        innermost = path and not list(child.children())
        if path and path in most:
            calls[path] = _Calls()
            child.register_forward_pre_hook(_keep_input(calls[path]), with_kwargs=True)
            child.register_forward_hook(_keep_spikes(calls[path], random, most[path]))
        elif innermost:
            calls[path] = _Calls()
            child.register_forward_hook(_keep_output(calls[path]))
    try:
        with torch.no_grad():
            answer = model(torch.from_numpy(x.copy()).to(dtype))
    except Exception as error:
        raise ModelError(f"the model raises on a random input: {one_line(error)}") from None
    for path, neuron in calls.items():
        if neuron.more:
            raise undescribed(path, sorted(neuron.more))
    return answer, calls


def _keep_output(calls: _Calls) -> Callable[..., None]:
    def hook(module: Any, inputs: Any, output: Any) -> None:
        tensor = isinstance(output, torch.Tensor)
        calls.outputs.append(output.detach().clone() if tensor else None)

    return hook


def _keep_spikes(calls: _Calls, random: RandomSpikes | None, most: int) -> Callable[..., Any]:
    """Keeps what a neuron returns, and lets it send random spikes instead."""

    def hook(module: Any, inputs: Any, output: Any) -> Any:
        spikes = spikes_of(output)
        if not isinstance(spikes, torch.Tensor):
            calls.outputs.append(None)
            calls.sent.append(None)
            return None
        calls.outputs.append(spikes.detach().clone())
        sent = calls.outputs[-1] if random is None else random.like(spikes, most)
        calls.sent.append(sent)
        if random is None:
            return None
        if spikes is output:
            return sent.clone()
        return getattr(output, "_make", type(output))([sent.clone(), *output[1:]])

    return hook


def _keep_input(calls: _Calls) -> Callable[..., None]:
    def hook(module: Any, inputs: Any, named: Any) -> None:
        current, more = bound_arguments(module, inputs, named)
        tensor = isinstance(current, torch.Tensor)
        calls.inputs.append(current.detach().clone() if tensor else None)
        calls.more.update(name for name, value in more.items() if says_something(value))

    return hook


class _Comparison:
    """Compares node by node while the graph is evaluated."""

    def __init__(self, graph: Graph, calls: dict[str, _Calls], tolerance: float) -> None:
        self.graph, self.calls, self.tolerance = graph, calls, tolerance
        self.spikes: list[tuple[Node, Any]] = []
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
        """Compare a neuron's current and spikes with the module's; the graph goes on with what that
        sends."""
        calls = self.calls.get(node.module)
        if calls is None:  # no module of its own: what it does is compared behind it
            self.spikes.append((node, spikes))
            return spikes
        front = scaled_in_front(self.graph, node)
        open_calls = [i for i in range(len(calls.inputs)) if i not in calls.taken]
        reaches = {i: self._reaching(front, calls.inputs[i]) for i in open_calls}
        index = next((i for i in open_calls if self.agree(current, reaches[i])), None)
        if index is None:
            theirs = reaches[open_calls[0]] if open_calls else None
            raise self.difference(f"the input of {node.module!r}", current, theirs)
        calls.taken.add(index)
        theirs, sent = calls.outputs[index], calls.sent[index]
        calls.inputs[index] = calls.outputs[index] = calls.sent[index] = None
        try:
            checked_spikes(node.module, theirs, current)
        except ModelError as error:
            raise _Difference(str(error)) from None
        wrong = first_wrong(node, current, spikes, theirs, self.tolerance)
        if wrong:
            raise _Difference(f"neuron {node.module!r} {wrong}")
        self.spikes.append((node, theirs))
        return sent.to(spikes.dtype)

    def _reaching(self, front: Sequence[Node], given: Any) -> Any:
        """What the neuron of a module gets of what the module was given."""
        return through(front, given, self.graph.timesteps) if front and given is not None else given

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
