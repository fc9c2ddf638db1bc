"""Infer the signal of every edge: binary, integer or real, its bound, the same at every step?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from snndeploy.graph import Graph, Node, Signal, check
from snndeploy.ops import kind_of


def infer_signals(graph: Graph) -> Graph:
    """The graph with `signal` on every node."""
    done: dict[str, Node] = {}
    for node in graph.nodes:
        inputs = [done[name] for name in node.inputs]
        signals = [source.signal for source in inputs if source.signal is not None]
        signal = kind_of(node).signal(node, signals, inputs)
        if contracts_time(node, inputs) or _reads_time_axis(node, inputs):
            signal = Signal(signal.kind, signal.bound, constant=False)
        body = node.body and infer_signals(node.body)
        feedback = node.feedback and infer_signals(node.feedback)
        done[node.name] = replace(node, signal=signal, body=body, feedback=feedback)
    result = graph.with_nodes(done.values())
    check(result, "signals")
    return result


def contracts_time(node: Node, inputs: Sequence[Node]) -> bool:
    """True when the node's result at one step needs other time steps."""
    return kind_of(node).contracts_time(node, inputs)


def _reads_time_axis(node: Node, inputs: list[Node]) -> bool:
    """A result that follows from a contraction over time is no longer 'the same at every step'."""
    return any(source.signal is not None and not source.signal.constant for source in inputs)
