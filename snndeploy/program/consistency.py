"""Do the parts of a program fit together?  Asked of every program file that is read.

A seal shows accidents, not authorship: a file may be edited and sealed again.  What would make the
simulator crash, or take memory without bound, is refused here; a different but consistent program
is simply another program.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, get_args

import numpy as np

from snndeploy.connections.encoding import ENCODINGS
from snndeploy.graph import KINDS, Axes, Graph, Node, Side, check
from snndeploy.layout.layout import Layout, Tile
from snndeploy.network import Network
from snndeploy.program.consistency_nodes import computable, constant_alone

MOST_STEPS = 1 << 16
MOST_NEURONS = 1 << 28
NODE_AXES = ("batch", "time", "feature")


class Mismatch(ValueError):
    """Two parts of a program contradict each other; the message says which."""


def require(condition: bool | np.bool, message: str) -> None:
    if not condition:
        raise Mismatch(message)


def whole(value: Any, low: int, high: int, where: str) -> None:
    """A Python integer within bounds (a truth value is none)."""
    good = type(value) is int and low <= value <= high
    require(good, f"{where} is {value!r}, not a whole number in {low}..{high}")


def finite(value: Any, where: str) -> None:
    good = type(value) in (int, float) and math.isfinite(value)
    require(good, f"{where} is {value!r}, not a finite number")


def text(value: Any, where: str) -> None:
    require(isinstance(value, str), f"{where} is {value!r}, not a text")


def extents(value: Any, count: int, low: int, where: str) -> None:
    good = isinstance(value, tuple) and len(value) == count
    require(good, f"{where} is {value!r}, not {count} numbers")
    for extent in value:
        whole(extent, low, MOST_NEURONS, where)


def integers(array: Any, where: str) -> None:
    require(isinstance(array, np.ndarray) and array.dtype.kind in "iu", f"{where}: no integers")


def broadcasts(array: Any, shape: tuple[int, ...], where: str) -> None:
    """A finite array that stretches to `shape`."""
    good = isinstance(array, np.ndarray) and np.isfinite(array).all()
    require(good, f"{where} is no finite array")
    try:
        fits = np.broadcast_shapes(array.shape, shape) == shape
    except ValueError:
        fits = False
    require(fits, f"{where} has shape {array.shape}, which does not fit {shape}")


def texts(values: Iterable[Any], where: str) -> None:
    for value in values:
        text(value, where)


# the model's graph


def check_graph(graph: Graph) -> None:
    """Every node is known, reads earlier nodes, and has the dimensions that its operation gives."""
    whole(graph.timesteps, 1, MOST_STEPS, "graph timesteps")
    text(graph.name, "graph name")
    require(bool(graph.outputs), "the graph has no output")
    try:
        check(graph, "signals")
    except AssertionError as error:
        raise Mismatch(str(error)) from None
    inputs = [node.name for node in graph.nodes if node.is_input]
    require(len(inputs) == 1, f"the graph has {len(inputs)} inputs")
    require(graph.input.attributes.get("signal") in KINDS, "the graph's input has no signal")
    for node in graph.nodes:
        _check_node(graph, node)


def _check_node(graph: Graph, node: Node) -> None:
    from snndeploy.ops import KINDS as OPERATIONS

    where = f"node {node.name}"
    for value in (node.name, node.module, node.why, node.side):
        text(value, where)
    require(node.side in get_args(Side), f"{where} is on side {node.side!r}")
    require(node.op in OPERATIONS, f"{where} has unknown operation {node.op!r}")
    _check_axes(node.axes, graph.timesteps, where)
    assert node.signal is not None
    kind, constant = node.signal.kind, node.signal.constant
    require(kind in KINDS and isinstance(constant, bool), f"{where} has signal {node.signal!r}")
    sources = [graph.by_name[name].axes for name in node.inputs]
    for inner in (node.body, node.feedback):
        if inner is not None:
            _check_inner(node, inner, where)
    if not node.is_input:
        require(bool(sources), f"{where} reads nothing")
        found = OPERATIONS[node.op].axes(node, sources)
        require(
            tuple(found) == node.axes, f"{where} has dimensions that its operation does not give"
        )
        require(constant_alone(graph, node), f"{where} is constant and reads what is not")
    require(
        computable(graph, node),
        f"{where} cannot be computed: its {node.op} lacks something, or reads other shapes",
    )


def _check_inner(node: Node, inner: Graph, where: str) -> None:
    """What a neuron makes of its membrane or last spikes: one step, one shape in and out."""
    require(node.is_neuron, f"{where} is no neuron and has a body or feedback")
    check_graph(inner)
    ends = [inner.input, *(inner.by_name[name] for name in inner.outputs)]
    shapes = [end.step_shape for end in ends]
    same = shapes == [node.step_shape] * 2 and inner.timesteps == 1
    require(same, f"{where}: its body or feedback differs")


def _check_axes(axes: Axes, timesteps: int, where: str) -> None:
    elements, batches = 1, 0
    for dimension in axes:
        for label, size in dimension:
            require(label in NODE_AXES, f"{where} has a dimension {label!r}")
            whole(size, 1, MOST_NEURONS, f"{where}: dimension")
            require(label != "time" or size in (1, timesteps), f"{where}: {size} time steps")
            elements *= size
            batches += label == "batch"
    require(elements <= MOST_NEURONS * timesteps, f"{where} has {elements} elements")
    require(batches == 1, f"{where} has {batches} batch dimensions")


# the mapping


def check_layout(layout: Layout, network: Network) -> None:
    """Every neuron is on one core, and every core at a place of its own on the board."""
    for pair, where in ((layout.mesh, "mesh"), (layout.board, "board")):
        extents(pair, 2, 1, where)
    _check_positions(layout)
    text(layout.binding, "layout binding")
    texts(layout.notes, "layout notes")
    owners: dict[str, np.ndarray] = {
        p.name: np.zeros(p.shape, bool) for p in network.populations if p.neuron.on_chip
    }
    for tile in layout.tiles:
        where = f"a tile of {tile.population!r}"
        require(tile.population in owners, f"{where}: no such population on the chip")
        require(0 <= tile.core < layout.cores, f"{where} is on core {tile.core}")
        seen, box = owners[tile.population], (tile.channels, tile.rows, tile.columns)
        for (start, stop), size in zip(box, seen.shape, strict=True):
            require(0 <= start < stop <= size, f"{where} covers {start}..{stop} of {size}")
        part = seen[tuple(slice(start, stop) for start, stop in box)]
        require(not part.any(), f"{where} lies on another")
        part[...] = True
        _check_share(tile, seen.shape, where)
        known = tile.encoding is None or tile.encoding in ENCODINGS
        require(known, f"{where} has encoding {tile.encoding!r}")
    for name, seen in owners.items():
        require(bool(seen.all()), f"{int((~seen).sum())} neurons of {name!r} are on no core")
    _check_use(layout)


def _check_share(tile: Tile, shape: tuple[int, ...], where: str) -> None:
    """A share holds its box, and goes beyond it only at the edge."""
    if tile.share is None:
        return
    extents(tile.share, 3, 1, f"{where}: share")
    box = (tile.channels, tile.rows, tile.columns)
    for (start, stop), size, edge in zip(box, tile.share, shape, strict=True):
        beyond = size > stop - start and stop == edge
        require(size == stop - start or beyond, f"{where}: a share of {size} for {start}..{stop}")


def _check_positions(layout: Layout) -> None:
    positions = layout.positions
    good = isinstance(positions, np.ndarray) and positions.dtype.kind in "iu"
    require(good and positions.ndim == 2 and positions.shape[1] == 3, "no positions of cores")
    room = [side * chips for side, chips in zip(layout.mesh, layout.board, strict=True)]
    inside = (positions >= 0).all() and (positions[:, :2] < room).all()
    require(bool(inside), "a core lies outside the board")
    require(len(np.unique(positions, axis=0)) == len(positions), "two cores share a place")


def _check_use(layout: Layout) -> None:
    for name, values in layout.use.items():
        good = isinstance(values, np.ndarray) and values.shape == (layout.cores,)
        require(good and values.dtype.kind in "iu", f"use of {name!r} is not a number a core")
    for name, limit in layout.limits.items():
        whole(limit, 1, 1 << 62, f"limit of {name!r}")
        require(name in layout.use, f"limit of {name!r}, whose use is not given")
