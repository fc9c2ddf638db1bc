"""Proof that a neuron module does what its stated parameters say.

Every neuron runs alone on currents that drive its membrane just below and just above the threshold,
far above and far below it, through silence, spikes in a row and noise (`probe_drive`); all of its
spikes must be those of the equation.  float32 decides when it agrees; only a disagreement is tried
again in float64.  What happens on the threshold itself is tried apart (`probe_ties`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from math import prod
from typing import Any

import torch

from snndeploy.errors import DescriptionError, ModelError
from snndeploy.frontend.copying import copied
from snndeploy.frontend.neuron_call import call_alone
from snndeploy.frontend.probe_drive import Driven, driven, nearness
from snndeploy.frontend.probe_ties import ties_decided
from snndeploy.graph import Graph, Node
from snndeploy.neurons import equation_of
from snndeploy.ops import kind_of
from snndeploy.ops import neuron as neuron_op

ROUNDING = 1e-5  # of threshold and membrane, in float32
PROBES = 256  # sequences a neuron is tried on
PROBE_WIDTH = 2  # features kept in each dimension of a probe
REFINED = (1.0, 4.0)  # thresholds, of the currents of a neuron with attention


def verify_neurons(graph: Graph, module: Any) -> list[str]:
    """Every neuron module alone, against the equation with the parameters that it states.

    Gives the modules of which it is not known whether a membrane on the threshold fires.

    Raises:
        ModelError: a neuron that fires at other times, changes its input, is left with state, or
            cannot be run by itself.
    """
    undecided = []
    for node in described(graph):
        neuron = module.get_submodule(node.module)
        shape = _small(node)
        if node.body is not None or scaled_in_front(graph, node) or not _takes(node, neuron, shape):
            shape = _traced(node)
        scale = channel_scale(graph, node, shape)
        _check(node, neuron, shape, scale)
        if node.body is None and equation_of(node.attributes).payload_bound == 1:
            if not ties_decided(node, neuron, shape, scale):
                undecided.append(node.module)
    return undecided


def verify_at_traced_size(graph: Graph, module: Any, paths: Collection[str]) -> None:
    """The same for some neurons, each with all the neurons that the model has of it.

    Raises:
        ModelError: as `verify_neurons`.
    """
    for node in described(graph):
        if node.module in paths:
            shape = _traced(node)
            scale = channel_scale(graph, node, shape)
            _check(node, module.get_submodule(node.module), shape, scale)


def described(graph: Graph) -> Iterable[Node]:
    """One node for each module that describes a neuron."""
    alone = [node for node in graph.neurons() if node.module and node.feedback is None]
    return {node.module: node for node in alone}.values()


def _check(node: Node, neuron: Any, shape: list[int], scale: Any) -> None:
    generator = torch.Generator().manual_seed(0)
    if node.body is not None:
        for size in REFINED:
            noise = 0.5 + torch.randn(shape, generator=generator)
            _check_refined(node, neuron, size * equation_of(node.attributes).threshold * noise)
        return
    probe = driven(node, shape, generator, scale)
    wrong = _first_wrong(node, probe, _run(node, neuron, probe.x))
    if not wrong:
        return
    try:
        double = _first_wrong(node, probe, _run(node, neuron, probe.x.double()))
    except ModelError:  # float32 values inside the module
        double = wrong
    if double:
        raise _refusal(node, neuron, probe.x, wrong)


def _check_refined(node: Node, neuron: Any, x: Any) -> None:
    """A neuron with attention: nobody knows which currents bring its membrane where."""
    axis = neuron_op.time_axis(node)
    ours = neuron_op.evaluate(node, [x], 1, x.shape[axis])
    wrong = first_wrong(node, x, ours, _run(node, neuron, x), ROUNDING)
    if wrong:
        raise _refusal(node, neuron, x, wrong)


def _run(node: Node, neuron: Any, x: Any) -> Any:
    return call_alone(node, neuron, x, neuron_op.time_axis(node))


def _takes(node: Node, neuron: Any, shape: list[int]) -> bool:
    """Does the module take currents of another size than the traced one?"""
    try:
        _run(node, neuron, torch.zeros(shape))
    except ModelError:
        return False
    return True


def _refusal(node: Node, neuron: Any, x: Any, wrong: str) -> ModelError:
    if _keeps_state(neuron, x):
        return ModelError(
            f"neuron {node.module!r} keeps state between calls; reset the model before compiling it"
        )
    return DescriptionError(f"neuron {node.module!r} {wrong}")


def _keeps_state(neuron: Any, x: Any) -> bool:
    same = copied(neuron).to(x.dtype).eval()
    try:
        with torch.no_grad():
            return not torch.equal(same(x.clone()), same(x.clone()))
    except Exception:  # it needs more than the currents
        return False


def _small(node: Node) -> list[int]:
    """Few features, many sequences."""
    sizes = {"batch": PROBES}
    return [
        prod(sizes.get(label, min(size, PROBE_WIDTH) if label == "feature" else size)
             for label, size in dimension)
        for dimension in node.axes
    ]  # fmt: skip


def _traced(node: Node) -> list[int]:
    return [prod(size for _, size in dimension) for dimension in node.axes]


def scaled_in_front(graph: Graph, node: Node) -> list[Node]:
    """The nodes between a neuron's module's input and the neuron, in order: what its own
    description put there."""
    found: list[Node] = []
    source = graph.by_name[node.inputs[0]]
    while source.module == node.module and not source.is_neuron and source.inputs:
        found.insert(0, source)
        source = graph.by_name[source.inputs[0]]
    return found


def through(nodes: Iterable[Node], x: Any, timesteps: int) -> Any:
    """What a neuron module's input becomes until it reaches the neuron."""
    for node in nodes:
        x = kind_of(node).evaluate(node, [x], 1, timesteps)
    return x


def channel_scale(graph: Graph, node: Node, shape: list[int]) -> Any:
    """What a step of the module's currents is multiplied by, float64; 1.0 where nothing is."""
    front = scaled_in_front(graph, node)
    if not front:
        return 1.0
    axis = neuron_op.time_axis(node)
    return through(front, torch.ones(shape), shape[axis]).select(axis, 0).double()


def _first_wrong(node: Node, probe: Driven, theirs: Any) -> str:
    """How the module's spikes differ from those of the equation, where rounding cannot tell."""
    wrong = probe.sure & (theirs.double() != probe.spikes)
    if not wrong.any():
        return ""
    axis = neuron_op.time_axis(node)
    steps = wrong.movedim(axis, 0).flatten(1).any(1)
    step = int(steps.nonzero()[0])
    bad = wrong.select(axis, step)
    membrane = float(probe.membranes.select(axis, step)[bad][0])
    return _told(node, step, membrane, float(theirs.select(axis, step)[bad][0]))


def first_wrong(node: Node, x: Any, ours: Any, theirs: Any, tolerance: float) -> str:
    """How the module's spikes differ from the equation's; "" when only rounding tells them apart.

    A neuron's first wrong step counts unless its membrane is within rounding of the threshold;
    what follows a wrong spike does not.
    """
    if torch.equal(ours, theirs.to(ours.dtype)):
        return ""
    axis, neuron = neuron_op.time_axis(node), equation_of(node.attributes)
    fine = torch.ones_like(ours.select(axis, 0), dtype=torch.bool)
    for step, (membrane, fired) in enumerate(neuron_op.run(node, x)):
        wrong = fine & (fired != theirs.select(axis, step))
        room = tolerance * (abs(neuron.threshold) + float(membrane.abs().max()))
        bad = wrong & (nearness(neuron, membrane) > room)
        if bad.any():
            returned = float(theirs.select(axis, step)[bad][0])
            return _told(node, step, float(membrane[bad][0]), returned)
        fine &= ~wrong
        if node.body is not None and wrong.any():
            break  # attention spreads another spike to all the others
    return ""


def _told(node: Node, step: int, membrane: float, theirs: float) -> str:
    return (
        f"does not do what it states ({equation_of(node.attributes)}): in step {step + 1} it"
        f" returns {theirs:g} where the membrane is {membrane:.6g}"
    )
