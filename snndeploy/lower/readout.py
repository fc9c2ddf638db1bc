"""The answer: which integers the host reads, and what it makes of them.

Behind the last neuron a value is, up to a constant, a linear sum over time of what spikes cause,

    value[r] = sum over t of  over_time[r, t] * y[t]         y[t] = connections . spikes[t]

and a membrane that keeps k of itself holds  v[t] = k v[t-1] + y[t],  so that

    value[r] = sum over t of  weights[r, t] * v[t]
    weights[r, t] = over_time[r, t] - k * over_time[r, t+1]

A mean or sum over time (k = 1), a leaky membrane (its own k) and weights that fall geometrically
take one reading at the end; the last step, or the last few, take two; anything else takes a
reading at every step at which `weights` is not zero.  What follows and is not linear (softmax, a
maximum over time) is the host's: the rest of the graph, from the last linear value on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from snndeploy.connections.algebra import NotComposable
from snndeploy.graph import Graph, Node
from snndeploy.lower.expression import Expression
from snndeploy.neurons.grid import SAME
from snndeploy.ops import Trait, has, is_layer, kind_of
from snndeploy.ops.evaluate import node_inputs
from snndeploy.passes.signals import contracts_time


@dataclass(frozen=True, eq=False)
class Read:
    """How a linear sum over time is read: see `network.Readout`.  keep: of the membrane."""

    keep: float
    factor: float
    steps: tuple[int, ...] = ()
    weights: np.ndarray | None = None

    @property
    def readings(self) -> int:
        return max(1, len(self.steps))


def membrane_reading(over_time: np.ndarray, decays: Iterable[float]) -> Read:
    """The fewest readings of a membrane; decays: what the model's own leaky membranes keep.

    Weights that fall geometrically are a leak too, if that saves all readings but one.
    """
    told = [_reading(over_time, keep) for keep in (1.0, *decays)]
    best = min(told, key=_price)
    last = over_time[-1]
    if best.readings > 1 and last[-1]:
        keep = float(last[-2] / last[-1])
        found = _reading(over_time, keep) if 0 < keep < 1 else best
        best = found if found.readings == 1 else best
    return best


def _price(read: Read) -> tuple[int, int]:
    return read.readings, 0 if read.weights is None else int(np.count_nonzero(read.weights))


def _reading(over_time: np.ndarray, keep: float) -> Read:
    later = np.pad(over_time[:, 1:], ((0, 0), (0, 1)))
    return Read(keep, *_chosen(over_time - keep * later))


def spike_reading(over_time: np.ndarray) -> Read:
    """Readings of the spikes themselves, at the steps that count."""
    return Read(1.0, *_chosen(over_time))


def _chosen(weights: np.ndarray) -> tuple[float, tuple[int, ...], np.ndarray | None]:
    """Factor, steps and weights where some of the weights are zero."""
    weights = np.where(np.abs(weights) > SAME * np.abs(weights).max(), weights, 0.0)
    (steps,) = np.nonzero(weights.any(axis=0))
    kept = weights[:, steps]
    whole = kept.shape == (1, 1)
    if whole and steps[0] == weights.shape[1] - 1:
        return float(kept[0, 0]), (), None
    chosen = tuple(steps.tolist())
    return (float(kept[0, 0]), chosen, None) if whole else (1.0, chosen, kept)


def decays_of(graph: Graph, name: str) -> tuple[float, ...]:
    """What the leaky membranes that a value depends on keep."""
    before = graph.ancestors([name])
    leaks = (n for n in graph.nodes if kind_of(n).linear and "decay" in n.attributes)
    found = (float(node.attributes["decay"]) for node in leaks if node.name in before)
    return tuple(dict.fromkeys(found))


# one value over time, and two


def rows_of(expression: Expression, timesteps: int) -> np.ndarray:
    """`over_time`, written out."""
    return np.eye(timesteps) if expression.over_time is None else expression.over_time


def behind(node: Node, before: Sequence[Node], source: Expression, timesteps: int) -> Expression:
    """What the node does to the steps: only `over_time` and `aside` of the result count.

    Raises:
        NotComposable: steps that were put aside, and are not added up.
    """
    linear = kind_of(node).linear
    assert linear is not None
    rows = rows_of(source, timesteps)
    found = linear.over_time and linear.over_time(node, before, len(rows))
    if found is None and source.aside is not None:
        raise NotComposable("a part of the steps that is not added up")
    if found is None:
        return source
    aside = node.attributes["dimension"] if len(found) > 1 and not node.has_time else None
    return replace(source, over_time=found @ rows, aside=aside)


def factors(sources: Sequence[Expression], timesteps: int) -> list[float]:
    """How much more of every step is in each input than in the first; but for the first.

    Raises:
        NotComposable: they take other steps.
    """
    first, *others = (rows_of(source, timesteps) for source in sources)
    found = []
    for rows in others:
        if len(rows) != len(first):
            raise NotComposable("adding values of one step to sums over time")
        factor = float((rows * first).sum() / (first * first).sum())
        if not np.allclose(rows, factor * first, rtol=SAME, atol=SAME * np.abs(first).max()):
            raise NotComposable("adding values that count the time steps in other ways")
        found.append(factor)
    return found


# what the host finishes


def finishing(graph: Graph) -> set[str]:
    """Nodes behind the last neuron that the host computes from what it reads."""
    found: set[str] = set()
    for node in graph.nodes:
        begins = (kind_of(node).chip is None and has(node, Trait.FINISHES)) or _apart(graph, node)
        if node.side == "readout" and (begins or found & set(node.inputs)):
            found.add(node.name)
    return found


def _apart(graph: Graph, node: Node) -> bool:
    """It takes several steps that are not added up right behind it."""
    linear, before = kind_of(node).linear, node_inputs(graph, node)
    if linear is None or linear.over_time is None or node.has_time:
        return False
    rows = linear.over_time(node, before, graph.timesteps)
    if rows is None or len(rows) == 1:
        return False
    users = [graph.by_name[user] for user in graph.users[node.name]]
    aside = node.attributes["dimension"]
    return node.name in graph.outputs or not all(_adds(user, node, aside) for user in users)


def _adds(user: Node, taken: Node, aside: int) -> bool:
    linear, before = kind_of(user).linear, as_time(taken, aside)
    if linear is None or linear.over_time is None or not contracts_time(user, [before]):
        return False
    return linear.over_time(user, [before], taken.shape[aside]) is not None


def as_time(node: Node, aside: int | None) -> Node:
    """The node with the steps in one of its dimensions called time."""
    if aside is None:
        return node
    steps = (("time", node.shape[aside]),)
    return replace(node, axes=(*node.axes[:aside], steps, *node.axes[aside + 1 :]))


def inside(graph: Graph, name: str, host: set[str]) -> list[Node]:
    """What the host computes of a head."""
    wanted = graph.ancestors([name]) & host
    return [node for node in graph.nodes if node.name in wanted]


def cut(graph: Graph, name: str, host: set[str]) -> tuple[str, ...]:
    """The linear values that a head is made from."""
    read = [source for node in inside(graph, name, host) for source in node.inputs]
    return tuple(dict.fromkeys(source for source in read if source not in host)) or (name,)


def unfit(node: Node) -> str:
    """Why the host does not compute a node behind the last neuron; '' where it does."""
    if is_layer(node):
        return "multiplies what the host has read and changed, and layers are the chip's"
    if has(node, Trait.FINISHES) or kind_of(node).linear is not None:
        return ""
    return node.block.reason if node.block else "is not a linear operation"


def rest(graph: Graph, source: Node, name: str, host: set[str]) -> Graph | None:
    """From the linear value to the answer, None where they are the same."""
    if source.name == name:
        return None
    assert source.signal is not None
    signal = {"signal": source.signal.kind}
    entry = replace(source, op="input", inputs=(), attributes=signal, parameters={}, block=None)
    nodes = [replace(node, block=None) for node in inside(graph, name, host)]
    return Graph((entry, *nodes), (name,), graph.timesteps, f"behind {source.name}")


# in words


def said(
    read: Read, kind: str, shape: Sequence[int], timesteps: int, label: str, finish: Graph | None
) -> tuple[str, ...]:
    """What is unusual about an answer: a leak, more than one reading, work of the host."""
    found = []
    if read.keep != 1.0:
        found.append(f"{label} is read from a membrane that keeps {read.keep:.6g} of itself a step")
    if read.readings > 1:
        neurons = f"{int(np.prod(shape)):,} {NOUNS[kind]}"
        found.append(
            f"{label} needs {read.readings} readings of {neurons} a sample,"
            f" {_where(read.steps, timesteps)}: {read.readings} times the host traffic of one"
        )
    if finish is not None:
        moved = [node for node in finish.nodes if not (node.is_input or kind_of(node).view)]
        names = ", ".join(dict.fromkeys(node.op for node in moved))
        found.append(f"{label}: the host computes its last part, {names}, from what it reads")
    return tuple(found)


NOUNS = {"membrane": "membranes", "spikes": "neurons' spikes", "count": "spike counts"}


def _where(steps: Sequence[int], timesteps: int) -> str:
    """Steps are counted from 1."""
    if len(steps) == timesteps:
        return "at every step"
    first, *others, last = (step + 1 for step in steps)
    if len(steps) > 4:
        return f"behind {len(steps)} of the steps {first}..{last}"
    return f"behind steps {', '.join(map(str, [first, *others]))} and {last}"
