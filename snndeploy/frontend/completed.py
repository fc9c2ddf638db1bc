"""Descriptions that leave something out: what the module's own loop says besides is taken from it.

A description is completed, never overruled: every value that it states must be the loop's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from snndeploy.graph import Graph
from snndeploy.neurons import equation_of, equations, parameters

CLOSE = 1e-5  # a value that the loop holds in float32, relative
TOLD_APART = ("kind", "time_axis", "timesteps")


def completions(graph: Graph, stated: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """What the neurons of a captured graph do besides their descriptions, in words; empty where
    one of them contradicts its description, or is not there.

    stated: by module path, as `adapters.find_neurons` has them.
    """
    read = {node.module: node.attributes for node in graph.neurons()}
    if any(path not in read or "attention" in given for path, given in stated.items()):
        return ()
    said = []
    for path, given in stated.items():
        if any(not _same(value, found) for value, found in _pairs(given, read[path])):
            return ()
        left_out = ", ".join(_left_out(given, read[path]))
        if left_out:
            said.append(f"neuron {path!r} does not state its {left_out}: read from its code")
    return tuple(said)


def _pairs(given: Mapping[str, Any], read: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Every value that is stated, and the loop's."""
    equation = equation_of(read)
    for key in set(given) - {*TOLD_APART, "channel_scale"}:
        yield given[key], getattr(equation, key, None)


def _left_out(given: Mapping[str, Any], read: Mapping[str, Any]) -> Iterator[str]:
    kind = equations()[read["kind"]]
    equation, plain = equation_of(read), equation_of({"kind": read["kind"], **given})
    for key in parameters(kind):
        if key not in given and getattr(equation, key) != getattr(plain, key):
            value = getattr(equation, key)
            shown = f"{value:g}" if isinstance(value, float) else str(value)
            yield f"{key.replace('_', ' ')} {shown}"


def _same(stated: Any, found: Any) -> bool:
    if isinstance(stated, float) and isinstance(found, float):
        return math.isclose(stated, found, rel_tol=CLOSE, abs_tol=CLOSE)
    return bool(stated == found)
