"""The encoder's part of currents: what the host computes besides the encoder itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from snndeploy.graph import Graph, Node, Signal


class HostPart:
    """Nodes of the host's graph: the encoder, and linear nodes repeated on its values."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes = {node.name: node for node in graph.nodes if node.side == "encoder"}

    def behind(self, node: Node, hosts: Sequence[str]) -> str:
        """The node without its constant part on the host's values; '' for an input without one."""
        present = [host for host in hosts if host]
        if not present:
            return ""
        if len(present) == 1 and len(hosts) == 2 and (node.op == "add" or hosts[0]):
            return present[0]
        name = f"{node.name}@host({','.join(host or '0' for host in hosts)})"
        if name not in self.nodes:
            self.nodes[name] = self._repeated(node, name, present, alone=len(hosts) > len(present))
        return name

    def _repeated(self, node: Node, name: str, present: list[str], *, alone: bool) -> Node:
        """alone: only the second operand of a subtraction has a host part."""
        parameters = {key: value for key, value in node.parameters.items() if key != "bias"}
        if "shift" in parameters:
            parameters["shift"] = np.zeros_like(parameters["shift"])
        op, attributes = node.op, dict(node.attributes)
        if "offset" in attributes:
            attributes["offset"] = 0.0
        if alone:
            op, attributes = "scale", {"factor": -1.0, "offset": 0.0}
        constant = all(self.is_constant(host) for host in present)
        return replace(
            node,
            name=name,
            op=op,
            inputs=tuple(present),
            parameters=parameters,
            attributes=attributes,
            signal=Signal("real", None, constant),
            side="encoder",
            why="the encoder's part of a membrane shortcut",
        )

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
