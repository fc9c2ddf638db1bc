"""Expression: what a node's value is, at each step, in terms of populations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from snndeploy.network import Shape
from snndeploy.passes.compose import identity, scale_outputs, sum_of
from snndeploy.passes.real_network import Term


@dataclass(frozen=True, eq=False)
class Expression:
    """sum of terms + the host's part + offset.

    shape: the value as (channels, rows, columns).  terms: connections from populations.
    offset: the node's own tensor (float64, one sample, one step) at zero spikes and zero encoder
    values, None when that is zero.  host: node of the encoder graph with the encoder's part, or ''.
    summed: factor on the sum over T, for values behind a mean or sum over time; None before.
    """

    shape: Shape
    terms: tuple[Term, ...] = ()
    offset: Any = None
    host: str = ""
    summed: float | None = None


def spikes_of(population: str, shape: Shape) -> Expression:
    """The spikes of a population themselves."""
    return Expression(shape, (Term(population, identity(shape[0])),))


def merged(first: Sequence[Term], second: Sequence[Term], factor: float) -> tuple[Term, ...]:
    """Terms of first + factor * second; kernels of equal form from one source become one."""
    found = list(first)
    for term in second:
        scaled = term if factor == 1.0 else _scaled(term, factor)
        for index, old in enumerate(found):
            total = sum_of(old.connection, scaled.connection) if old.source == term.source else None
            if total is not None:
                found[index] = Term(term.source, total)
                break
        else:
            found.append(scaled)
    return tuple(found)


def _scaled(term: Term, factor: float) -> Term:
    return Term(term.source, scale_outputs(term.connection, np.asarray(factor)))
