"""A graph in fixed point: the arithmetic of a MAC unit, the same on every machine, bit for bit.

Values have 16 bits behind the point and saturate at +-2^15 (32 bits); weights have 12 bits behind
the point, static factors any number; products and sums are kept whole and rounded once, half to
even, when an operation is done; a quotient by zero saturates, 0 / 0 is 0.  This is an assumed unit:
no chip with one documents its arithmetic.

Numbers are carried in float64, which holds every sum exactly: a layer whose sums could pass 2^53
is refused, so the order of the summands never matters.  sigmoid and tanh are rounded to the grid
from float64, whose last bit can only matter within 1e-16 of a tie, which no grid value reaches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from snndeploy.errors import ProgramError, UnsupportedError
from snndeploy.graph import Graph, Node
from snndeploy.ops import kind_of
from snndeploy.ops.evaluate import by_step, evaluate
from snndeploy.ops.kind import FixedPoint

VALUE_BITS = 16  # behind the point
WEIGHT_BITS = 12
LARGEST = float(1 << 15)
EXACT_BITS = 53  # of float64


def fixed_point(graph: Graph) -> Graph:
    """The graph with its weights on their grid.

    Raises:
        UnsupportedError: an operation without a fixed-point form.
    """
    for node in graph.nodes:
        form_of(node)
    return graph.with_nodes(_rounded(node) for node in graph.nodes)


def form_of(node: Node) -> FixedPoint:
    found = kind_of(node).fixed
    if found is None:
        raise UnsupportedError(
            f"{node.label}: {node.op} inside attention declares no fixed-point form; use sigmoid,"
            " tanh, relu or clamp there",
            node=node.label,
            reason="no fixed-point form",
        )
    return found


def _rounded(node: Node) -> Node:
    one = 1 << WEIGHT_BITS
    parameters = {
        key: np.rint(np.asarray(value, np.float64) * one) / one
        for key, value in node.parameters.items()
    }
    return replace(node, parameters=parameters)


def evaluate_fixed(graph: Graph, values: np.ndarray, name: str) -> tuple[np.ndarray, int]:
    """The graph's answer, float64 on the grid, (samples, steps, *step shape), and how many values
    on the way saturated or were 0 / 0.

    values: (samples, steps, ...) reals, rounded to the grid first; steps is the graph's number.
    name: of the population, for messages.

    Raises:
        ProgramError: sums that are not exact in float64.
    """
    saturated = 0

    def on_grid(value: Any) -> Any:
        nonlocal saturated
        rounded = torch.round(value * (1 << VALUE_BITS)) / (1 << VALUE_BITS)
        saturated += int((~(rounded.abs() <= LARGEST)).sum())
        return torch.nan_to_num(rounded, nan=0.0).clamp(-LARGEST, LARGEST)

    entry = on_grid(torch.from_numpy(np.ascontiguousarray(values, dtype=np.float64)))
    entry = entry.reshape(len(values), *graph.input.shape[1:])

    def unit(node: Node, inputs: Sequence[Any], value: Any) -> Any:
        _check_exact(node, inputs, value, name)
        return value if form_of(node).on_grid else on_grid(value)

    (output,) = graph.outputs
    answer = evaluate(graph, entry, hoist=False, double=True, observe=unit)[output]
    return by_step(graph.by_name[output], answer, len(values)), saturated


def _check_exact(node: Node, inputs: Sequence[Any], value: Any, name: str) -> None:
    """Raise where a sum could need more bits than float64 has."""
    summing = form_of(node).terms
    if summing is None:
        return
    terms, weighted = summing(node, inputs[0], value)
    behind = VALUE_BITS + (WEIGHT_BITS if weighted else 0)
    largest = float(inputs[0].abs().max()) if inputs[0].numel() else 0.0
    if largest * terms * 2.0**behind >= 2.0**EXACT_BITS:
        raise ProgramError(
            f"{name}: {node.label} adds up values of {largest:.4g}, more than the"
            f" {EXACT_BITS}-bit sums of the MAC unit hold; rescale the model's weights"
        )
