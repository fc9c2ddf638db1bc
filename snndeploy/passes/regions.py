"""Attention regions: the parts of a body that refine one value by what is computed from it.

Attention multiplies a value by gates that follow from the value itself, so every path into it
passes the value (the region's `source`) and every path out of it passes the refined value (its
`result`), which has the same shape.  A region begins at the nearest node that all inputs of a
blocked node share, and ends where that shape comes back and no other way leads out.

    X --+--> mean, max --> MLP --> sigmoid --> multiply --> X'        source X, result X'
        +----------------------------------------^
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from snndeploy.graph import Axes, Graph, Node, check
from snndeploy.ops import Role, Trait, has, kind_of
from snndeploy.ops.kind import DYNAMIC_ROLES
from snndeploy.passes.signals import contracts_time

if TYPE_CHECKING:
    import networkx

Location = Literal["spikes", "current", "membrane", "stream"]


@dataclass(frozen=True, eq=False)
class Region:
    """One refined value.

    source, result: node names; both the neuron's for attention in a membrane loop.
    graph: source to result, one input; of one step, or of all T if full_window.
    location: what is refined: 'spikes' (Conv-PRE), 'current' in front of neurons alone
    (Conv-POST), 'membrane' (Activate-PRE), or a 'stream' of currents that other layers read too.
    neurons: those that the result enters directly, for 'current' and 'membrane'.
    """

    source: str
    result: str
    graph: Graph
    location: Location
    full_window: bool
    neurons: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        """What the chip would have to do."""
        window = ", which needs all time steps at once," if self.full_window else ""
        return f"attention on the {self.location}{window} multiplies at run time"

    @property
    def label(self) -> str:
        """The module that the region came from, as a user knows it."""
        modules = [node.module for node in self.graph.nodes if node.module]
        return modules[-1] if modules else self.result


def attention_regions(graph: Graph) -> tuple[Region, ...]:
    """The regions of a partitioned graph's body, in execution order.

    Blocked nodes that belong to none, to no product of two signals, or to products of which neither
    factor is the value itself, are left to `lower`, which refuses them.
    """
    joined = _joined(graph, _outermost(_spans(graph)))
    spans = [s for s in joined if _multiplies(graph, s) and _keeps_the_value(graph, s)]
    found = [_region(graph, span) for span in spans]
    for node in graph.nodes:
        if node.body is not None and node.side == "body":
            region = Region(node.name, node.name, node.body, "membrane", False, (node.name,))
            found.append(region)
    order = {node.name: index for index, node in enumerate(graph.nodes)}
    return tuple(sorted(found, key=lambda region: order[region.result]))


def _multiplies(graph: Graph, span: _Span) -> bool:
    return any(kind_of(graph.by_name[name]).role in DYNAMIC_ROLES for name in span.inside)


def _keeps_the_value(graph: Graph, span: _Span) -> bool:
    """A way leads from the source to the result that no layer, mean or function changes; without
    one, the region multiplies two things computed from the value, and an ordinary layer may be
    one of them."""
    kept = {span.source}
    for node in graph.nodes:
        keeps = has(node, Trait.KEEPS_VALUE)
        if node.name in span.inside and keeps and kept & set(node.inputs):
            kept.add(node.name)
    return span.result in kept


@dataclass(frozen=True)
class _Span:
    source: str
    result: str
    inside: frozenset[str]  # result included, source not


def _spans(graph: Graph) -> list[_Span]:
    blocked = [
        node.name
        for node in graph.nodes
        if node.side == "body" and node.block
        and kind_of(node).role not in (Role.NEURON, Role.POOLING)
    ]  # fmt: skip
    if not blocked:
        return []
    within = graph.to_networkx()  # a step: a neuron begins anew
    within.remove_edges_from(list(within.in_edges(node.name for node in graph.neurons())))
    back = within.reverse()
    back.remove_edges_from(list(back.in_edges(graph.outputs)))
    before, behind = _immediate(within), _immediate(back)
    found = (_span(graph, name, within, before, behind) for name in blocked)
    return [span for span in found if span is not None]


def _immediate(graph: networkx.DiGraph[str]) -> dict[str, str]:
    """Immediate dominator of every node; '' for those that share only the (virtual) root."""
    import networkx  # see `Graph.to_networkx`

    rooted = graph.copy()
    rooted.add_edges_from(("", name) for name, degree in graph.in_degree() if degree == 0)
    return networkx.immediate_dominators(rooted, "")


def _span(
    graph: Graph,
    blocked: str,
    within: networkx.DiGraph[str],
    before: Mapping[str, str],
    behind: Mapping[str, str],
) -> _Span | None:
    source = before[blocked]
    while source:
        shape, result = graph.by_name[source].step_shape, blocked
        while result:
            if graph.by_name[result].step_shape == shape:
                inside = _between(within, source, result)
                if _is_closed(graph, source, result, inside):
                    return _Span(source, result, frozenset(inside))
            result = behind[result]
        source = before[source]
    return None


def _between(within: networkx.DiGraph[str], source: str, result: str) -> set[str]:
    """Nodes that depend on the source and that the result depends on, the result included."""
    import networkx  # see `Graph.to_networkx`

    needed = networkx.ancestors(within, result) | {result}
    return needed & networkx.descendants(within, source)


def _is_closed(graph: Graph, source: str, result: str, inside: set[str]) -> bool:
    """Nothing else leads in, nothing but the result leads out."""
    for name in inside:
        node = graph.by_name[name]
        if not set(node.inputs) <= inside | {source}:
            return False
        leaves = name in graph.outputs or not set(graph.users[name]) <= inside
        if name != result and leaves:
            return False
    return result in inside


def _outermost(spans: Iterable[_Span]) -> list[_Span]:
    distinct = list({(span.source, span.result): span for span in spans}.values())
    return [
        span
        for span in distinct
        if not any(span.inside < other.inside for other in distinct)
    ]  # fmt: skip


def _joined(graph: Graph, spans: list[_Span]) -> list[_Span]:
    """Regions one behind the other, with nothing but views between, are one."""
    order = {node.name: index for index, node in enumerate(graph.nodes)}
    found: dict[str, _Span] = {}  # by result
    for span in sorted(spans, key=lambda span: order[span.result]):
        joined = span
        for before in found.values():
            views = _views_between(graph, before.result, span)
            if views is not None:
                joined = _Span(before.source, span.result, before.inside | views | span.inside)
                del found[before.result]
                break
        found[joined.result] = joined
    return list(found.values())


def _views_between(graph: Graph, result: str, span: _Span) -> frozenset[str] | None:
    """The views from a result to the span that reads nothing else; None: something else is there,
    or the result goes elsewhere too."""
    passed: set[str] = set()
    name = span.source
    while name != result:
        node = graph.by_name[name]
        if not kind_of(node).view:
            return None
        passed.add(name)
        (name,) = node.inputs
    if ({result} | passed) & set(graph.outputs):
        return None
    users = {user for member in {result} | passed for user in graph.users[member]}
    return frozenset(passed) if users <= passed | span.inside else None


def _region(graph: Graph, span: _Span) -> Region:
    source = graph.by_name[span.source]
    nodes = [*_entry(source), *(node for node in graph.nodes if node.name in span.inside)]
    whole = Graph(tuple(nodes), (span.result,), graph.timesteps, span.result)
    check(whole, "signals")
    full = any(
        contracts_time(node, [whole.by_name[name] for name in node.inputs])
        for node in whole.nodes
        if not node.is_input
    )
    if not full:
        whole = replace(
            whole, timesteps=1, nodes=tuple(replace(n, axes=_one_step(n.axes)) for n in nodes)
        )
    neurons = _only_neurons(graph, span.result)
    if source.is_neuron:
        return Region(span.source, span.result, whole, "spikes", full)
    location: Location = "current" if neurons else "stream"
    return Region(span.source, span.result, whole, location, full, neurons)


def _entry(source: Node) -> list[Node]:
    """An input (batch, time, features ...), and the source's own arrangement of it."""
    atoms = [atom for dimension in source.axes for atom in dimension]
    order = [
        next(index for index, (label, _) in enumerate(atoms) if label == "batch"),
        *(index for index, (label, _) in enumerate(atoms) if label == "time"),
        *(index for index, (label, _) in enumerate(atoms) if label == "feature"),
    ]
    sources: Axes = tuple((atoms[index],) for index in order)
    entry = Node(
        f"{source.name}@entry", "input", attributes={"signal": "real"}, axes=sources,
        signal=source.signal,
    )  # fmt: skip
    back = {"order": [order.index(index) for index in range(len(atoms))]}
    single: Axes = tuple((atom,) for atom in atoms)
    turned = Node(
        f"{source.name}@order", "permute", (entry.name,), back, axes=single, signal=source.signal
    )
    shaped = Node(source.name, "view", (turned.name,), axes=source.axes, signal=source.signal)
    return [entry, turned, shaped]


def _one_step(axes: Axes) -> Axes:
    return tuple(
        tuple((label, 1 if label == "time" else size) for label, size in dimension)
        for dimension in axes
    )


def _only_neurons(graph: Graph, result: str) -> tuple[str, ...]:
    """The neurons that the result enters, through views alone; () when anything else reads it."""
    found: list[str] = []
    stack = [result]
    while stack:
        name = stack.pop()
        if name in graph.outputs:
            return ()
        for user in graph.users[name]:
            node = graph.by_name[user]
            if node.is_neuron:
                found.append(user)
            elif kind_of(node).view:
                stack.append(user)
            else:
                return ()
    return tuple(found)
