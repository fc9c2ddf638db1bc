"""Proof that a captured graph computes what the module does.

Three comparisons, in double precision but for the first:

  trace    the module and the program captured from it give the same output
  forced   every comparator of the program is answered by a coin, and every neuron of the graph
           fires as the coin says: membranes and outputs must agree, whether or not a layer would
           have fired by itself
  spikes   nothing is forced, the input scaled until every neuron fires: at each neuron the graph's
           spikes equal the program's, and only a membrane within rounding of the threshold excuses
           a difference
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import torch

from snndeploy.errors import ModelError, one_line
from snndeploy.frontend.capture.alike import ANY
from snndeploy.frontend.capture.double import in_double
from snndeploy.frontend.capture.operators import ROUNDINGS
from snndeploy.frontend.capture.replay import Replay, stored_sizes
from snndeploy.frontend.capture.rolled import Steps
from snndeploy.frontend.capture.values import Call, Constant, Program, Value
from snndeploy.frontend.capture.write import Neuron
from snndeploy.graph import Graph, Node
from snndeploy.neurons import equation_of
from snndeploy.ops import neuron as neuron_op
from snndeploy.ops.axes import TRACE_BATCH
from snndeploy.ops.evaluate import evaluate

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-8}  # of 1 + the largest magnitude
SCALES = (1.0, 4.0, 16.0, 64.0, 256.0)
RATE = 0.3  # of forced spikes
FEWEST = 2  # samples of a comparison
MOST_WORK = 2e9  # products and values of one run, where fewer samples than traced make it so


@dataclass(frozen=True, eq=False)
class Captured:
    """A module, the program captured from it, and the graph that it became.

    loops: something in it remembers from step to step.
    """

    module: Any
    program: Program
    graph: Graph
    neurons: Sequence[Neuron]
    batch_axis: int
    signal: str
    described: Sequence[tuple[str, dict[str, Any]]] = ()
    loops: bool = True


def prove_captured(captured: Captured) -> tuple[str, ...]:
    """Notes on what the comparison could not show.

    Raises:
        ModelError: naming the first place where graph and module differ.
    """
    samples = _samples(captured.program)
    x = _random(captured, 1.0, samples)
    _same_trace(captured, x, samples)
    replay = Replay(captured.program, torch.float64, captured.described, samples)
    comparators = [_members(neuron.fitted.comparison) for neuron in captured.neurons]
    generator = torch.Generator().manual_seed(1)
    forced = {
        call: torch.rand(replay.sizes(call.shape), generator=generator) < RATE
        for neuron, members in zip(captured.neurons, comparators, strict=True)
        if may_be_forced(neuron)
        for call in members
        if call is not ANY
    }
    _compared(captured, replay, x, forced)
    silent = [neuron.name for neuron in captured.neurons]
    for scale in _scales(captured):
        fired = _compared(captured, replay, _random(captured, scale, samples), {})
        silent = [name for name in silent if not fired[name]]
        if not silent:
            break
    labels = {node.name: node.label for node in captured.graph.nodes}
    listed = ", ".join(repr(labels[name]) for name in silent)
    note = f"no input of the proof makes {listed} fire: compared with forced spikes alone"
    return (*_told(captured, samples), *((note,) if silent else ()))


def _scales(captured: Captured) -> tuple[float, ...]:
    return SCALES if captured.signal == "real" else SCALES[:1]


def _told(captured: Captured, samples: int) -> tuple[str, ...]:
    """A note on modules whose samples see each other in a batch, which the graph's do not."""
    if not captured.program.together:
        return ()
    apart = 0.0
    for scale in _scales(captured):
        x = _random(captured, scale, samples)
        with torch.no_grad():
            theirs = captured.module(x.clone())
        ours = _traced(captured, x, samples, torch.float32)
        apart = max(apart, float((ours.reshape(-1) - theirs.reshape(-1)).abs().max()))
    listed = ", ".join(repr(module) for module in captured.program.together)
    return (
        f"module {listed} chooses for all samples of a batch together: compiled, and compared, one"
        f" sample at a time; on {samples} random samples at once the model's own answer differs"
        f" from that by up to {apart:.3g}",
    )


def may_be_forced(neuron: Neuron) -> bool:
    """A bound, a refractory time or a second comparison makes spikes at any moment mean something
    else."""
    if neuron.fitted.unforced:
        return False
    return not {"lower_bound", "refractory", "most_spikes"} & set(neuron.fitted.parameters)


def _samples(program: Program) -> int:
    """As many as the program was traced with, or fewer where each is much work and no layer is
    of a size that may be taken for samples."""
    held = {source for call in program.calls for source in call.sources()}
    own = [size for one in held if isinstance(one, Constant) for size in stored_sizes(one)]
    if any(size % TRACE_BATCH == 0 for size in own):
        return TRACE_BATCH
    work = sum(prod(call.shape) * _terms(call) for call in program.calls) / TRACE_BATCH
    return min(TRACE_BATCH, max(FEWEST, int(MOST_WORK / work)))


def _terms(call: Call) -> int:
    """Products in each value that a call gives; 1 for a call that has no weights."""
    weight = call.arguments.get("weight")
    return prod(weight.shape[1:]) if isinstance(weight, Constant) else 1


def _same_trace(captured: Captured, x: Any, samples: int) -> None:
    if captured.program.together:  # what it chooses for all samples is then right for each
        x = x.narrow(captured.batch_axis, 0, 1).expand(x.shape).contiguous()
    try:
        with torch.no_grad():
            theirs = captured.module(x.clone())
    except Exception as error:
        raise ModelError(f"the model raises on a random input: {one_line(error)}") from None
    ours = _traced(captured, x, samples, torch.float32)
    if _agree(ours, theirs) or _same_in_double(captured, x, samples):
        return
    raise ModelError(
        f"the model's output and its trace differ{_distance(ours, theirs)}; the model does"
        " something that the trace does not see (a value computed outside torch, or state kept"
        " between calls)"
    )


def _same_in_double(captured: Captured, x: Any, samples: int) -> bool:
    """In float32 a rounding may turn into another spike somewhere in a large network."""
    try:
        theirs = in_double(captured.module, x)
    except Exception:  # values that are not torch's, or operators without float64
        return False
    return _agree(_traced(captured, x, samples, torch.float64), theirs)


def _traced(captured: Captured, x: Any, samples: int, dtype: torch.dtype) -> Any:
    replay = Replay(captured.program, dtype, captured.described, samples)
    return replay.run(x, ())[captured.program.output]


def _compared(
    captured: Captured, replay: Replay, x: Any, forced: dict[Any, Any]
) -> dict[str, bool]:
    """Which neurons fired.  Raises ModelError where graph and program differ."""
    wanted: list[Value] = []
    for neuron in captured.neurons:
        spikes, comparison = _members(_exit(neuron)), neuron.fitted.comparison
        margins = [c for m in _members(comparison) if m is not ANY for c in m.sources()]
        wanted += [member for member in spikes if member is not ANY]
        wanted += [value for value in margins if isinstance(value, Call)]
    found = {**replay.constants, **replay.run(x, wanted, forced), captured.program.given: x}
    comparison_ = _Comparison(captured, found, bool(forced))
    given = x.numpy().astype(np.float64)
    given = given if captured.batch_axis == 0 else given.swapaxes(0, 1)
    ours = evaluate(captured.graph, given, hoist=False, double=True, observe=comparison_.observe)
    answer, theirs = ours[captured.graph.outputs[0]], found[captured.program.output]
    if not _agree(answer, theirs):
        raise _differs("the output", answer, theirs)
    return comparison_.fired


class _Comparison:
    """Compares membranes and spikes while the graph is evaluated with the program's spikes."""

    def __init__(self, captured: Captured, found: dict[Value, Any], forced: bool) -> None:
        self.by_name = {neuron.name: neuron for neuron in captured.neurons}
        self.found, self.forced = found, forced
        self.fired: dict[str, bool] = {}

    def observe(self, node: Node, inputs: Sequence[Any], value: Any) -> Any:
        if node.name not in self.by_name:
            return value
        neuron = self.by_name[node.name]
        spikes = self._spikes(neuron, value)
        self._membranes(node, neuron, inputs[0], spikes)
        self.fired[node.name] = bool(spikes.any())
        return spikes

    def _spikes(self, neuron: Neuron, ours: Any) -> Any:
        """The program's spikes, time first; ours where nobody reads them."""
        spikes = ours.clone()
        for step, member in enumerate(_members(_exit(neuron))):
            if member is not ANY:
                spikes[step] = self.found[member].to(spikes.dtype)
        return spikes

    def _membranes(self, node: Node, neuron: Neuron, current: Any, spikes: Any) -> None:
        equation, fitted = equation_of(node.attributes), neuron.fitted
        state = equation.rest(current[0])
        label = node.module or node.name
        for step, member in enumerate(_members(fitted.comparison)):
            added = current[step]
            before = spikes[step - 1] if step else torch.zeros_like(spikes[0])
            added = added + neuron_op.feedback(node, before)
            membrane = equation.charged(state, added)
            if member is not ANY and fitted.parameters.get("refractory_input") != "dropped":
                sign = -1 if fitted.negated else 1
                theirs = sign * self._margin(member) * fitted.scale + equation.threshold
                bound = fitted.parameters.get("lower_bound", -torch.inf)  # tested before or behind
                one, two = membrane.clamp(min=bound), theirs.clamp(min=bound)
                if not _agree(one, two.expand_as(one)):
                    raise _differs(f"the membrane of {label!r} in step {step + 1}", one, two)
            fired = equation.fires(state, membrane)
            if not self.forced:
                self._fires(label, step, equation, membrane, fired, spikes[step])
            state = equation.after(state, added, membrane, spikes[step])

    def _fires(
        self, label: str, step: int, equation: Any, membrane: Any, fired: Any, spikes: Any
    ) -> None:
        wrong = fired.to(spikes.dtype) != spikes
        room = TOLERANCE[torch.float64] * (equation.threshold + float(membrane.abs().max()))
        nearest = (membrane / equation.threshold).round().clamp(1, equation.most_spikes)
        bad = wrong & ((membrane - equation.threshold * nearest).abs() > room)
        if bool(bad.any()):
            raise ModelError(
                f"neuron {label!r} does not do what was read from its loop ({equation}): in step"
                f" {step + 1} it returns {float(spikes[bad][0]):g} where the membrane is"
                f" {float(membrane[bad][0]):.6g}"
            )

    def _margin(self, member: Call) -> Any:
        kind = member.name.removeprefix("aten.").partition(".")[0]
        one = self._value(member.arguments["self"])
        if member.name in ROUNDINGS:
            return one / self._value(member.arguments.get("other", 1.0)) - 1.0
        if kind == "heaviside":
            return one
        other = self._value(member.arguments["other"])
        return one - other if kind in ("gt", "ge") else other - one

    def _value(self, value: Any) -> Any:
        return self.found[value] if isinstance(value, Value) else value


def _exit(neuron: Neuron) -> Steps:
    """The node of a cycle that says its spikes, of those that say them at most steps."""
    found = [node for node in neuron.cycle.exits if isinstance(node, Steps)]
    return max(found, key=lambda node: sum(member is not ANY for member in node.members))


def _members(node: Steps) -> tuple[Any, ...]:
    return node.members


def _random(captured: Captured, scale: float, samples: int) -> Any:
    generator = np.random.default_rng(0)
    shape = [*captured.program.given.shape]
    shape[captured.batch_axis] = samples
    if captured.signal == "real":
        values: Any = scale * generator.normal(size=shape)
    else:
        values = generator.integers(0, 2 if captured.signal == "binary" else 4, size=shape)
    return torch.from_numpy(values.astype(np.float32))


def _agree(ours: Any, theirs: Any) -> bool:
    if not isinstance(theirs, torch.Tensor) or ours.numel() != theirs.numel():
        return False
    if not ours.numel():
        return True
    flat = theirs.reshape(-1).to(ours.dtype)
    scale = 1.0 + float(flat.abs().max())
    room = TOLERANCE.get(ours.dtype, TOLERANCE[torch.float32]) * scale
    return bool((ours.reshape(-1) - flat).abs().max() <= room)


def _distance(ours: Any, theirs: Any) -> str:
    if not isinstance(theirs, torch.Tensor):
        return ""
    if ours.numel() != theirs.numel():
        return f": shapes {tuple(ours.shape)} and {tuple(theirs.shape)}"
    return f" by up to {float((ours.reshape(-1) - theirs.reshape(-1)).abs().max()):.3g}"


def _differs(where: str, ours: Any, theirs: Any) -> ModelError:
    return ModelError(
        f"the captured graph and the model differ first at {where}{_distance(ours, theirs)};"
        " describe its neurons with neuron_parameters()"
    )
