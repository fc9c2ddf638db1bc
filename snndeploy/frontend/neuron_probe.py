"""Proof that a neuron module does what its stated parameters say."""

from __future__ import annotations

import copy
from contextlib import suppress
from math import prod
from typing import Any

import torch

from snndeploy.errors import ModelError, one_line
from snndeploy.graph import Graph, Node
from snndeploy.neurons import equation_of
from snndeploy.ops import neuron as neuron_op

ROUNDING = 1e-5  # of threshold and membrane, in float32
PROBES = 64  # sequences a neuron is tried on
PROBE_WIDTH = 2  # features kept in each dimension of a probe


def verify_neurons(graph: Graph, module: Any) -> None:
    """Every neuron module alone, against the equation with the parameters that it states.

    Raises:
        ModelError: a neuron that fires at other times, changes its input, or is left with state.
    """
    for node in {node.module: node for node in graph.neurons()}.values():
        neuron = copied(module.get_submodule(node.module)).float().eval()
        for x in _probes(node):
            found = _called(neuron, x)
            if found is None:
                continue  # it takes other shapes, or more arguments: the whole model is run anyway
            _check_probe(node, neuron, x, *found)
            break


def _called(neuron: Any, x: Any) -> tuple[Any, Any] | None:
    """(output, input as it is afterwards), or None when the module raises."""
    given = x.clone()
    with torch.no_grad(), suppress(Exception):
        output = neuron(given)
        if isinstance(output, torch.Tensor) and output.shape == x.shape:
            return output, given
    return None


def _check_probe(node: Node, neuron: Any, x: Any, theirs: Any, given: Any) -> None:
    if not torch.equal(given, x):
        raise ModelError(
            f"neuron {node.module!r} changes its input in place, which the trace cannot see; let it"
            " work on a copy"
        )
    ours = neuron_op.evaluate(node, [x], 1, x.shape[neuron_op.time_axis(node)])
    wrong = first_wrong(node, x, ours, theirs, ROUNDING, exact_first=True)
    if not wrong:
        return
    again = _called(neuron, x)
    if again is not None and not torch.equal(again[0], theirs):
        raise ModelError(
            f"neuron {node.module!r} keeps state between calls; reset the model before compiling it"
        )
    raise ModelError(f"neuron {node.module!r} {wrong}")


def _probes(node: Node) -> list[Any]:
    """Currents around the threshold: small ones, and of the traced size for picky modules.

    A quarter of the sequences begins exactly at the threshold, where >= and > differ.  Attention
    knows its channels, so neurons with it are tried at the traced size alone.
    """
    generator = torch.Generator().manual_seed(0)
    threshold, axis = equation_of(node.attributes).threshold, neuron_op.time_axis(node)
    found = []
    sizes_tried = ((PROBES, PROBE_WIDTH), (1, None)) if node.body is None else ((1, None),)
    for batch, width in sizes_tried:
        sizes = {"batch": batch}
        shape = [
            prod(sizes.get(label, min(size, width or size) if label == "feature" else size)
                 for label, size in dimension)
            for dimension in node.axes
        ]  # fmt: skip
        x = threshold * (0.5 + torch.randn(shape, generator=generator))
        start = x.select(axis, 0)
        start[torch.rand(start.shape, generator=generator) < 0.25] = threshold
        found.append(x)
    return found


def first_wrong(
    node: Node, x: Any, ours: Any, theirs: Any, tolerance: float, *, exact_first: bool = False
) -> str:
    """How the module's spikes differ from the equation's; "" when only rounding tells them apart.

    A neuron's first wrong step counts unless its membrane is within rounding of the threshold
    (with exact_first only from the second step on); what follows a wrong spike does not.
    """
    if torch.equal(ours, theirs.to(ours.dtype)):
        return ""
    axis = neuron_op.time_axis(node)
    threshold = equation_of(node.attributes).threshold
    fine = torch.ones_like(ours.select(axis, 0), dtype=torch.bool)
    for step, (membrane, fired) in enumerate(neuron_op.run(node, x)):
        wrong = fine & (fired != theirs.select(axis, step))
        room = tolerance * (abs(threshold) + float(membrane.abs().max()))
        excused = (membrane - threshold).abs() <= room
        if exact_first and step == 0:
            excused = torch.zeros_like(excused)
        bad = wrong & ~excused
        if bad.any():
            returned = float(theirs.select(axis, step)[bad][0])
            return _told(node, step, float(membrane[bad][0]), returned)
        fine &= ~wrong
    return ""


def _told(node: Node, step: int, membrane: float, theirs: float) -> str:
    return (
        f"does not do what it states ({equation_of(node.attributes)}): in step {step + 1} it"
        f" returns {theirs:g} where the membrane is {membrane:.6g}"
    )


def copied(module: Any) -> Any:
    try:
        return copy.deepcopy(module)
    except Exception as error:
        raise ModelError(
            f"the model cannot be copied: {one_line(error)}; reset the state that it keeps between"
            " calls before compiling it"
        ) from None
