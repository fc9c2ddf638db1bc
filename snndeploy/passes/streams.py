"""Which neurons stand before and behind a layer, and does it read spikes or their sums?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from snndeploy.graph import Graph, Node
from snndeploy.ops import is_layer, kind_of


def reads_current(graph: Graph, node: Node) -> bool:
    """Its input has passed a conv or linear layer of the chip since the last neuron."""
    before = _walk(graph, node.inputs, lambda n: () if _ends_current(n) else n.inputs)
    return any(is_layer(n) and n.side != "encoder" for n in before)


def since_spikes(graph: Graph, node: Node) -> tuple[Node, ...]:
    """What stands between the node and the spikes or the encoder's values that it depends on."""
    before = _walk(graph, node.inputs, lambda n: () if _ends_current(n) else n.inputs)
    return tuple(n for n in before if not _ends_current(n))


def _ends_current(node: Node) -> bool:
    return node.is_neuron or node.side == "encoder"


def neurons_before(graph: Graph, node: Node) -> tuple[str, ...]:
    """Neurons whose spikes reach the node without another neuron between, sorted."""
    before = _walk(graph, node.inputs, lambda n: () if n.is_neuron else n.inputs)
    return tuple(sorted(n.name for n in before if n.is_neuron))


def neurons_behind(graph: Graph, node: Node) -> tuple[str, ...]:
    """Neurons that the node's result enters without another layer between, sorted."""

    def onward(n: Node) -> Iterable[str]:
        return () if n.is_neuron or is_layer(n) else graph.users[n.name]

    behind = _walk(graph, graph.users[node.name], onward)
    return tuple(sorted(n.name for n in behind if n.is_neuron))


def convolution_neurons(graph: Graph) -> frozenset[str]:
    """The papers' "conv neurons": what they fire on comes from a convolution, with no other layer
    between.  Neurons that only hand on other neurons' spikes, and flattened planes, count too."""
    convolutions = [n for n in graph.nodes if is_layer(n) and _is_convolution(n)]

    def onward(n: Node) -> Iterable[str]:
        return () if is_layer(n) else graph.users[n.name]

    starts = [user for node in convolutions for user in graph.users[node.name]]
    return frozenset(n.name for n in _walk(graph, starts, onward) if n.is_neuron)


def _is_convolution(node: Node) -> bool:
    layer = kind_of(node).layer
    return layer is not None and layer.shared


def spike_sources(graph: Graph, node: Node) -> tuple[list[str], bool]:
    """Labels of the chip's neurons whose spikes reach the node; does the encoder's value too?"""
    before = list(_walk(graph, node.inputs, lambda n: () if _ends_current(n) else n.inputs))
    neurons = [n.label for n in before if n.is_neuron and n.side != "encoder"]
    return neurons, any(n.side == "encoder" for n in before)


def is_first_layer(graph: Graph, node: Node) -> bool:
    """Neither a layer nor a neuron stands between the model's input and this one."""
    before = _walk(graph, node.inputs, lambda n: n.inputs)
    return not any(n.is_neuron or is_layer(n) for n in before)


def before_views(graph: Graph, node: Node) -> Node:
    """What the node reads, before it was arranged anew."""
    source = graph.by_name[node.inputs[0]]
    while kind_of(source).view and source.inputs:
        source = graph.by_name[source.inputs[0]]
    return source


def _walk(
    graph: Graph, start: Iterable[str], onward: Callable[[Node], Iterable[str]]
) -> Iterator[Node]:
    """Every node reached, once."""
    stack, seen = list(start), set()
    while stack:
        name = stack.pop()
        if name in seen:
            continue
        seen.add(name)
        node = graph.by_name[name]
        yield node
        stack.extend(onward(node))
