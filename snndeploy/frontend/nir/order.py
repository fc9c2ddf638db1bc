"""In which order primitives are computed, and which ways lead a neuron's spikes back to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from snndeploy.errors import ModelError
from snndeploy.frontend.nir.euler import FIRING, LEAKING
from snndeploy.frontend.nir.reader import Edge, Primitives


@dataclass(frozen=True, eq=False)
class Order:
    """forward: names in the order of computation.  sources: of each, without what comes back.
    back: of each recurrent neuron the names on its loop, in order, the neuron first."""

    forward: tuple[str, ...]
    sources: Mapping[str, tuple[str, ...]]
    back: Mapping[str, tuple[str, ...]]


def ordered(graph: Primitives) -> Order:
    """
    Raises:
        ModelError: a loop without a neuron or with several, or a node that leads nowhere or that
            nothing leads to.
    """
    _check_ends(graph)
    loops = {_neuron_of(graph, loop): loop for loop in _loops(graph)}
    returning = {
        (source, neuron) for neuron, loop in loops.items() for source in graph.into(neuron)
        if source in loop
    }  # fmt: skip
    forward = [edge for edge in graph.edges if edge not in returning]
    (output,) = graph.outputs
    wanted = _before(forward, output)
    sorter = TopologicalSorter({n: [s for s, t in forward if t == n] for n in graph.nodes})
    sequence = tuple(sorter.static_order())
    sources = {n: tuple(s for s, t in forward if t == n) for n in graph.nodes}
    back = {
        neuron: (neuron, *(name for name in sequence if name in loop and name != neuron))
        for neuron, loop in loops.items()
    }
    return Order(tuple(name for name in sequence if name in wanted), sources, back)


def _check_ends(graph: Primitives) -> None:
    for names, what in ((graph.inputs, "Input"), (graph.outputs, "Output")):
        if len(names) != 1:
            listed = f" ({', '.join(names)})" if names else ""
            raise ModelError(f"{graph.file}: has {len(names)} {what} nodes{listed}; one is needed")
    sources = {source for source, _ in graph.edges}
    targets = {target for _, target in graph.edges}
    for name, part in graph.nodes.items():
        if name not in targets and name not in graph.inputs:
            raise part.refuse("has no edge that leads to it")
        if name not in sources and name not in graph.outputs:
            raise part.refuse("has no edge that leaves it, and is no Output")


def _loops(graph: Primitives) -> list[set[str]]:
    """Nodes that lead to one another."""
    names = list(graph.nodes)
    place = {name: index for index, name in enumerate(names)}
    rows = [place[source] for source, _ in graph.edges]
    columns = [place[target] for _, target in graph.edges]
    ones = np.ones(len(rows))
    matrix = coo_array((ones, (rows, columns)), shape=(len(names), len(names)))
    count, labels = connected_components(matrix.tocsr(), directed=True, connection="strong")
    groups = [{names[i] for i in np.flatnonzero(labels == label)} for label in range(count)]
    own = {source for source, target in graph.edges if source == target}
    return [group for group in groups if len(group) > 1 or group & own]


def _neuron_of(graph: Primitives, loop: set[str]) -> str:
    """The one neuron of a loop, whose other nodes are linear and see nothing else."""
    named = " -> ".join(sorted(loop))
    firing = [name for name in loop if graph.nodes[name].kind in FIRING]
    if len(firing) != 1:
        found = f"{len(firing)} spiking neurons" if firing else "no spiking neuron"
        raise ModelError(
            f"{graph.file}: the loop {named} has {found}; loops of one neuron are known, whose"
            " spikes come back to itself a step later"
        )
    (neuron,) = firing
    for name in sorted(loop - {neuron}):
        part = graph.nodes[name]
        if part.kind in (*LEAKING, "Delay"):
            raise part.refuse(f"lies in the loop of {neuron!r}, and remembers; linear nodes may")
        outside = [source for source in graph.into(name) if source not in loop]
        if outside:
            raise part.refuse(
                f"lies in the loop of {neuron!r}, and takes {outside[0]!r} from outside; give that"
                " a node of its own"
            )
    inner = [(s, t) for s, t in graph.edges if {s, t} <= loop and neuron not in (s, t)]
    for name in loop - {neuron}:
        if name in {source for source, target in inner if target == name}:
            raise graph.nodes[name].refuse("feeds itself, and is no neuron")
        if any(name in _before(inner, source) for source, target in inner if target == name):
            raise graph.nodes[name].refuse("lies in a loop without a spiking neuron")
    return neuron


def _before(edges: list[Edge], name: str) -> set[str]:
    """The named node and all that lead to it."""
    found, open_ = {name}, [name]
    while open_:
        here = open_.pop()
        new = {source for source, target in edges if target == here} - found
        found |= new
        open_ += new
    return found
