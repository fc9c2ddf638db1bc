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
from snndeploy.ops.evaluate import by_step, node_inputs
from snndeploy.passes.regions import Region
from snndeploy.passes.signals import contracts_time
from snndeploy.tensors import zeros


@dataclass(frozen=True, eq=False)
class Expression:
    """sum of terms + the host's part + offset.

    shape: the value as (channels, rows, columns).  terms: connections from populations.
    offset: the node's own tensor (float64, one sample, one step) at zero spikes and zero encoder
    values, None when that is zero.  host: node of the encoder graph with the encoder's part, or ''.
    summed: factor on the sum over T, for values behind a mean or sum over time; None before.
    refined: attention that the neurons it enters must apply to it first.
    """

    shape: Shape
    terms: tuple[Term, ...] = ()
    offset: Any = None
    host: str = ""
    summed: float | None = None
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
    before = node_inputs(graph, node)
    inputs = [
        zeros(sizes(origin.axes, 1, 1)) if source.offset is None else source.offset
        for origin, source in zip(before, sources, strict=True)
    ]
    value = kind_of(node).evaluate(node, inputs, 1, 1)
    summed = linear.over_time == "sum" and contracts_time(node, before)
    return value * graph.timesteps if summed else value


def constant_part(node: Node, expression: Expression) -> np.ndarray | None:
    """The offset of the node's expression, in its shape; None when it is zero everywhere."""
    if expression.offset is None:
        return None
    offset = by_step(node, expression.offset, 1)[0, 0].reshape(expression.shape)
    return offset if np.any(offset) else None
