"""The encoder's part of currents: what the host computes besides the encoder itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from snndeploy.graph import Graph, Node, Signal
from snndeploy.ops import kind_of
from snndeploy.ops.evaluate import node_inputs


class HostPart:
    """Nodes of the host's graph: the encoder, and linear nodes repeated on its values."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes = {node.name: node for node in graph.nodes if node.side == "encoder"}

    def behind(self, node: Node, hosts: Sequence[str]) -> str:
        """The node without its constant part on the host's values; '' for an input without one."""
        present = [self.nodes[host] for host in hosts if host]
        if not present:
            return ""
        linear = kind_of(node).linear
        assert linear is not None
        bare = linear.without_constant(node)
        if len(present) == len(hosts):
            made: Sequence[Node] = [replace(bare, inputs=tuple(hosts))]
        else:
            before = node_inputs(self.graph, node)
            made = linear.missing(bare, [self.nodes.get(host) for host in hosts], before)
        if not made:
            (only,) = present
            return only.name
        name = f"{node.name}@host({','.join(host or '0' for host in hosts)})"
        constant = all(self.is_constant(host.name) for host in present)
        for new in (*made[:-1], replace(made[-1], name=name)):
            self.nodes[new.name] = replace(
                new,
                signal=Signal("real", None, constant),
                side="encoder",
                why="the encoder's part of a membrane shortcut",
            )
        return name

    def is_constant(self, host: str) -> bool:
        """The same at every step?  False for ''."""
        if not host:
            return False
        signal = self.nodes[host].signal
        return signal is not None and signal.constant

    def encoder(self, outputs: Iterable[str]) -> Graph:
        """What the host computes for the given nodes."""
        whole = replace(self.graph, nodes=tuple(self.nodes.values()), outputs=())
        return whole.select(dict.fromkeys(outputs))
