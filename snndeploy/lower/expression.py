"""Expression: what a node's value is, at each step, in terms of populations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from snndeploy.connections import Shape
from snndeploy.connections.algebra import identity, scale_outputs, sum_of
from snndeploy.graph import Graph, Node, sizes
from snndeploy.lower.real_network import Term
from snndeploy.ops import kind_of
from snndeploy.ops.evaluate import by_step, node_inputs, spread
from snndeploy.passes.regions import Region
from snndeploy.tensors import zeros


@dataclass(frozen=True, eq=False)
class Expression:
    """sum of terms + the host's part + offset.

    shape: the value as (channels, rows, columns).  terms: connections from populations.
    offset: the node's own tensor (float64, one sample, one step) at zero spikes and zero encoder
    values, None when that is zero.  host: node of the encoder graph with the encoder's part, or ''.
    over_time: how much of each step's sum is in each row, float64 (rows, T): one row a time step,
    or a single one for a value without time; None: every step is its own.  Only behind the last
    neuron; the offset is then the value's own, one a time step where it has time.
    aside: the dimension of the node that holds the rows, where `take` made it of some steps.
    refined: attention that the neurons it enters must apply to it first.
    """

    shape: Shape
    terms: tuple[Term, ...] = ()
    offset: Any = None
    host: str = ""
    over_time: np.ndarray | None = None
    aside: int | None = None
    refined: Region | None = None


def spikes_of(population: str, shape: Shape) -> Expression:
    """The spikes of a population themselves."""
    return Expression(shape, (Term(population, identity(shape[0])),))


def merged(first: Sequence[Term], second: Sequence[Term], factor: float) -> tuple[Term, ...]:
    """Terms of first + factor * second; kernels of equal form from one source become one."""
    found = list(first)
    for term in second:
        scaled = term if factor == 1.0 else _scaled(term, factor)
        for index, old in enumerate(found):
            same = (old.source, old.delay) == (term.source, term.delay)
            total = sum_of(old.connection, scaled.connection) if same else None
            if total is not None:
                found[index] = replace(term, connection=total)
                break
        else:
            found.append(scaled)
    return tuple(found)


def _scaled(term: Term, factor: float) -> Term:
    return replace(term, connection=scale_outputs(term.connection, np.asarray(factor)))


def offset_behind(graph: Graph, node: Node, sources: Sequence[Expression]) -> Any:
    """The node's value where no neuron fires and the encoder sends zero; None for zero."""
    linear = kind_of(node).linear
    assert linear is not None
    if all(source.offset is None for source in sources) and linear.without_constant(node) is node:
        return None
    steps = graph.timesteps if node.side == "readout" else 1
    inputs = [
        _offset(origin, source, steps)
        for origin, source in zip(node_inputs(graph, node), sources, strict=True)
    ]
    return kind_of(node).evaluate(node, inputs, 1, steps)


def _offset(node: Node, expression: Expression, steps: int) -> Any:
    """Behind the last neuron every step has its own; before it they are all the same."""
    if expression.offset is None:
        return zeros(sizes(node.axes, 1, steps))
    behind = node.side == "readout" or steps == 1
    return expression.offset if behind else spread(node, expression.offset, 1)


def constant_parts(node: Node, expression: Expression) -> np.ndarray | None:
    """The offset of the node's expression, (steps, *its shape); None when it is zero everywhere."""
    if expression.offset is None:
        return None
    offset = by_step(node, expression.offset, 1)[0].reshape(-1, *expression.shape)
    return offset if np.any(offset) else None


def constant_part(node: Node, expression: Expression) -> np.ndarray | None:
    """The same where every step has the same, in the expression's shape."""
    offset = constant_parts(node, expression)
    return None if offset is None else offset[0]
