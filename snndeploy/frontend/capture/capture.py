"""From an exported module with its own loop over time to a Graph."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from snndeploy.frontend.capture.alike import NotRolled
from snndeploy.frontend.capture.cycles import find_parts
from snndeploy.frontend.capture.fit import fit
from snndeploy.frontend.capture.merge import merge
from snndeploy.frontend.capture.numbers_by_step import refuse_in_loops
from snndeploy.frontend.capture.operators import COMPARISONS, ROUNDINGS
from snndeploy.frontend.capture.program import module_path, read_program
from snndeploy.frontend.capture.proof import Captured
from snndeploy.frontend.capture.reductions import roll
from snndeploy.frontend.capture.rolled import Input, reachable
from snndeploy.frontend.capture.write import Neuron, Sequences
from snndeploy.frontend.translate import Source, translate
from snndeploy.graph import Graph
from snndeploy.ops.axes import TRACE_BATCH

DEEPEST = 100_000  # calls of the walk: a few for every operator of the longest path


def compares(exported: Any) -> bool:
    """Something in it is compared with a threshold, or counts thresholds."""
    deciding = COMPARISONS | ROUNDINGS
    return any(str(node.target) in deciding for node in exported.graph.nodes)


def loops(exported: Any, timesteps: int) -> bool:
    """Every step of a sequence is taken out of it, so that a loop may go on with them, or parts of
    it are written elsewhere, as where it waits."""
    if timesteps > 1 and any("slice_scatter" in str(node.target) for node in exported.graph.nodes):
        return True
    parts = ("aten.select.int", "aten.unbind.int")
    found = [node for node in exported.graph.nodes if str(node.target) in parts]
    taken = sum(timesteps if str(node.target) == "aten.unbind.int" else 1 for node in found)
    return timesteps > 1 and taken >= timesteps


def repeats(exported: Any, timesteps: int, batch_axis: int) -> bool:
    """It has a loop over time: all T steps of a sequence, or of a comparison, are there.

    A loop that takes one sample after the other takes them for steps: it is none.
    """
    parts: dict[Any, set[int]] = {}
    fires: Counter[Any] = Counter()
    for node in exported.graph.nodes:
        target = str(node.target)
        if target == "aten.select.int":
            along, index = node.args[1], node.args[2]
            source = _unsliced(node.args[0])
            size = source.meta["val"].shape[along]
            if along == batch_axis and size == TRACE_BATCH != timesteps:
                return False
            if size == timesteps:
                parts.setdefault((source, along), set()).add(index)
        elif target == "aten.unbind.int":
            steps = len(node.meta["val"])
            if steps in (timesteps, TRACE_BATCH):
                return steps == timesteps
        elif target in COMPARISONS | ROUNDINGS:
            fires[module_path(node), target] += 1
    taken = max(map(len, parts.values()), default=0)
    return max(taken, *fires.values(), 0) >= timesteps


def _unsliced(node: Any) -> Any:
    while str(node.target) == "aten.slice.Tensor":
        node = node.args[0]
    return node


def capture(exported: Any, module: Any, source: Source) -> Captured:
    """The graph of a program with a loop over time, its neurons read from the loop.

    Raises:
        ModelError: the program returns no tensor, or one that does not depend on its input.
        UnsupportedError: steps that differ, or a loop that holds no neuron that is known.
    """
    program, taken = read_program(exported, source.timesteps)
    with _deep():
        try:
            output = merge(roll(program, source.timesteps))
        except NotRolled as failure:
            raise failure.refusal() from None
    parts = find_parts(output)
    try:
        refuse_in_loops(node for cycle in parts.cycles for node in cycle.order)
        refuse_in_loops(node for part in parts.filters for node in part.order)
    except NotRolled as failure:
        raise failure.refusal() from None
    fits = {cycle: fit(cycle) for cycle in parts.cycles}
    known = len(source.neurons)
    writer = Sequences(parts, fits, source.timesteps, known)
    given = next(node for node in reachable(output) if isinstance(node, Input))
    with _deep():
        written = writer.written(output, given)
    neurons = [
        (neuron.cycle.module, {**neuron.fitted.parameters, "time_axis": 0})
        for neuron in writer.neurons
    ]
    graph = translate(written, replace(source, neurons=[*source.neurons, *neurons]))
    graph = replace(_with_feedback(graph, writer.neurons), notes=(taken,) if taken else ())
    return Captured(
        module, program, graph, writer.neurons, source.batch_axis, source.signal, source.neurons,
        loops=bool(parts.cycles or parts.filters),
    )  # fmt: skip


def _with_feedback(graph: Graph, neurons: Sequence[Neuron]) -> Graph:
    feedback = {neuron.name: neuron.feedback for neuron in neurons if neuron.feedback is not None}
    return graph.with_nodes(
        replace(node, feedback=feedback[node.name]) if node.name in feedback else node
        for node in graph.nodes
    )


@contextmanager
def _deep() -> Iterator[None]:
    """The walk recurses along the program's longest path."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(DEEPEST)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
