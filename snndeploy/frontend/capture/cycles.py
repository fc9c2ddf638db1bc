"""What is inside a rolled loop: linear filters, and one cycle a comparator.

The strongly connected parts of a rolled program are what remembers.  One without a comparator is
a linear filter (a synaptic current, an integrator).  One with a comparator is a neuron; where
layers lie on it, it is recurrent: the neuron is what is left without them, and the layers lead
its spikes of one step to its input of the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from snndeploy.errors import UnsupportedError
from snndeploy.frontend.capture.operators import COMPARISONS, ELEMENTWISE, ROUNDINGS
from snndeploy.frontend.capture.rolled import Delay, Fixed, Rolled, Steps, reachable


@dataclass(eq=False)
class Filter:
    """A part that remembers and never fires.  delays: its states; inputs: what enters it."""

    nodes: frozenset[Rolled]
    order: list[Rolled]
    delays: list[Delay]
    inputs: list[Rolled]
    module: str


@dataclass(eq=False)
class Cycle:
    """One neuron: what lies on the cycle of its membrane, with the filters before it.

    order: its nodes, sources first (delays give what they hold).  inputs: what enters from
    outside.  recurrent: those that depend on the neuron's own spikes of the step before.
    exits: its nodes that others read.  filtered: the delays of filters before the cycle.
    """

    comparisons: list[Steps]
    order: list[Rolled]
    delays: list[Delay]
    inputs: list[Rolled]
    exits: list[Rolled]
    module: str
    filtered: list[Delay] = field(default_factory=list)
    recurrent: list[Rolled] = field(default_factory=list)

    @property
    def nodes(self) -> set[Rolled]:
        return {*self.order, *self.delays}


@dataclass(eq=False)
class Parts:
    """What remembers in a rolled program."""

    cycles: list[Cycle]
    filters: list[Filter]


def find_parts(output: Rolled) -> Parts:
    """
    Raises:
        UnsupportedError: layers that feed back to each other, or a loop that is not a neuron's.
    """
    nodes = reachable(output)
    users: dict[Rolled, list[Rolled]] = {node: [] for node in nodes}
    for node in nodes:
        for source in node.sources():
            users[source].append(node)
    cores: list[set[Rolled]] = []
    recurrent: dict[Rolled, set[Rolled]] = {}
    filters: list[Filter] = []
    for part in _components(nodes):
        firing = [node for node in part if decides(node)]
        if not firing:
            filters.append(_filter(part))
            continue
        layers = {node for node in part if not _each(node)}
        inner = _components([node for node in nodes if node in part and node not in layers])
        found = [core for core in inner if any(map(decides, core))]
        alone = [{node} for node in firing if not any(node in core for core in found)]
        found += alone
        if len(found) > 1:
            raise _fed_back(found)
        within = [_filter(one) for one in inner if not any(map(decides, one))]
        filters += within
        cores += found
        for node in found[0]:
            recurrent[node] = part.difference(found[0], *(one.nodes for one in within))
    inside = {node for core in cores for node in core}
    cores += [{node} for node in nodes if is_comparison(node) and node not in inside]
    cycles = [_cycle(core, recurrent, filters, users, nodes) for core in cores]
    return Parts(cycles, filters)


def is_comparison(node: Rolled) -> bool:
    return isinstance(node, Steps) and node.call.name in COMPARISONS


def is_rounding(node: Rolled) -> bool:
    return isinstance(node, Steps) and node.call.name in ROUNDINGS


def decides(node: Rolled) -> bool:
    """It may say whether a neuron fires, or how often."""
    return is_comparison(node) or is_rounding(node)


def _each(node: Rolled) -> bool:
    """It works on each value by itself."""
    return isinstance(node, Delay) or (isinstance(node, Steps) and node.call.name in ELEMENTWISE)


def _cycle(
    core: set[Rolled],
    recurrent: dict[Rolled, set[Rolled]],
    filters: list[Filter],
    users: dict[Rolled, list[Rolled]],
    nodes: list[Rolled],
) -> Cycle:
    before = _filters_before(core, filters, recurrent)
    region = core | before
    order = [node for node in _sorted(region, nodes) if not isinstance(node, Delay)]
    delays = [node for node in nodes if node in region and isinstance(node, Delay)]
    entering = [source for node in [*order, *delays] for source in node.sources()]
    inputs = [
        source
        for source in dict.fromkeys(entering)
        if source not in region and not isinstance(source, Fixed)
    ]
    behind = next((recurrent[node] for node in core if node in recurrent), set())
    exits = [
        node
        for node in order
        if node in core and any(user not in region for user in _readers(node, users, region))
    ]
    comparisons = [node for node in order if isinstance(node, Steps) and decides(node)]
    filtered = [delay for delay in delays if delay in before]
    fed = [source for source in inputs if source in behind]
    return Cycle(comparisons, order, delays, inputs, exits, comparisons[-1].module, filtered, fed)


def _readers(node: Rolled, users: dict[Rolled, list[Rolled]], region: set[Rolled]) -> list[Rolled]:
    """Who reads a node, also one step later."""
    found = list(users[node])
    for user in users[node]:
        if isinstance(user, Delay) and user in region:
            found += users[user]
    return found


def _filters_before(
    core: set[Rolled], filters: list[Filter], recurrent: dict[Rolled, set[Rolled]]
) -> set[Rolled]:
    """Filters that reach the core value by value, with what lies between."""
    parts = {node: part for part in filters for node in part.nodes}
    reaching: dict[Rolled, bool] = {}

    def reaches(node: Rolled) -> bool:
        if node in parts:
            return all(_each(one) for one in parts[node].nodes)
        if node in core or not _each(node) or is_comparison(node) or isinstance(node, Delay):
            return False
        if node not in reaching:
            reaching[node] = any([reaches(source) for source in node.sources()])
        return reaching[node]

    found: set[Rolled] = set()
    stack = [source for node in core for source in node.sources()]
    while stack:
        node = stack.pop()
        if node in core or node in found or not reaches(node):
            continue
        if node in parts:
            found |= parts[node].nodes
            stack += [source for one in parts[node].nodes for source in one.sources()]
        else:
            found.add(node)
            stack += node.sources()
    return found


def _filter(part: set[Rolled]) -> Filter:
    order = _sorted(part, list(part))
    entering = [source for node in order for source in node.sources()]
    inputs = [
        source
        for source in dict.fromkeys(entering)
        if source not in part and not isinstance(source, Fixed)
    ]
    delays = [node for node in order if isinstance(node, Delay)]
    module = next((node.module for node in order if node.module), "")
    inner = [node for node in order if not isinstance(node, Delay)]
    return Filter(frozenset(part), inner, delays, inputs, module)


def _fed_back(cores: Iterable[set[Rolled]]) -> UnsupportedError:
    names = [
        next((node.module for node in core if is_comparison(node)), "") or "the model itself"
        for core in cores
    ]
    places = " and ".join(sorted(set(names)))
    reason = "layers feed back to each other"
    return UnsupportedError(
        f"the neurons of {places} feed back to each other over a step of time; only the feedback"
        " of one layer to itself compiles",
        node=names[0],
        reason=reason,
    )


def _sorted(part: set[Rolled], nodes: list[Rolled]) -> list[Rolled]:
    """Sources first; a delay needs nothing of its own step."""
    found: list[Rolled] = []
    seen: set[Rolled] = set()
    for start in nodes:
        stack = [(start, False)]
        while stack:
            node, left = stack.pop()
            if left:
                found.append(node)
            elif node in part and node not in seen:
                seen.add(node)
                stack.append((node, True))
                if not isinstance(node, Delay):
                    stack += [(source, False) for source in node.sources()]
    return found


def _components(nodes: list[Rolled]) -> list[set[Rolled]]:
    """Strongly connected parts that hold a cycle, of the graph of sources (Tarjan)."""
    within = set(nodes)
    index: dict[Rolled, int] = {}
    low: dict[Rolled, int] = {}
    path: list[Rolled] = []
    on_path: set[Rolled] = set()
    found: list[set[Rolled]] = []

    def close(node: Rolled) -> None:
        part: set[Rolled] = set()
        while True:
            member = path.pop()
            on_path.discard(member)
            part.add(member)
            if member is node:
                break
        if len(part) > 1 or node in node.sources():
            found.append(part)

    for start in nodes:
        if start in index:
            continue
        _walk(start, within, index, low, path, on_path, close)
    return found


def _walk(
    start: Rolled,
    within: set[Rolled],
    index: dict[Rolled, int],
    low: dict[Rolled, int],
    path: list[Rolled],
    on_path: set[Rolled],
    close: Callable[[Rolled], None],
) -> None:
    """Tarjan's walk from one node, without recursion."""
    stack = [(start, iter(start.sources()))]
    index[start] = low[start] = len(index)
    path.append(start)
    on_path.add(start)
    while stack:
        node, sources = stack[-1]
        onward = next(
            (s for s in sources if s in within and (s not in index or s in on_path)), None
        )
        if onward is None:
            stack.pop()
            if low[node] == index[node]:
                close(node)
            if stack:
                low[stack[-1][0]] = min(low[stack[-1][0]], low[node])
        elif onward in index:
            low[node] = min(low[node], index[onward])
        else:
            index[onward] = low[onward] = len(index)
            path.append(onward)
            on_path.add(onward)
            stack.append((onward, iter(onward.sources())))
