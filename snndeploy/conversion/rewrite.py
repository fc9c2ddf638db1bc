"""The graph of an ANN with integrate-and-fire neurons for its activations, over T steps.

    S[t] = [V[t-1] + I[t] >= θ],  V[t] = V[t-1] + I[t] - θ S[t],  V[-1] = θ/2
    θ * mean over t of S[t]  ->  clip(I, 0, θ), in steps of θ/T       for an I that stays the same

A spike stands for θ: what follows a neuron is multiplied by it, and the branches of a residual
sum may have thresholds of their own.  Starting at θ/2 makes the quantization round instead of
floor (Deng and Gu, ICLR 2021; Bu et al., ICLR 2022), and subtracting θ keeps what a reset to zero
would lose (Rueckauer et al. 2017).  The input is given at every step as it is, so all before the
first neuron is computed once, by the host.

Behind the first neuron, steps are folded into the batch dimension: no operation but the neuron and
the mean of the answer sees time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from snndeploy.conversion.activations import is_activation
from snndeploy.conversion.facts import MaxPool, Threshold
from snndeploy.errors import UnsupportedError
from snndeploy.graph import Dimension, Graph, Node
from snndeploy.neurons import Reset
from snndeploy.ops import Role, Trait, has, kind_of
from snndeploy.ops.kind import LINEAR_ROLES

BATCH: Dimension = (("batch", 1),)
MAX_POOL = (
    "{label!r} takes the maximum of rates, and the maximum of spikes is another number: give"
    " --max-pool average or --max-pool any (a spike wherever one is in the window), and read what"
    " it costs in the accuracy; or train with average pools"
)


@dataclass
class Rewriting:
    """The new nodes so far.

    now: the new node for each of the ANN's.  spikes: for a new node that is θ times spikes, the
    node of the spikes and θ.  answer: what is averaged over the steps, and what it stood for.
    """

    graph: Graph
    thresholds: Mapping[str, Threshold]
    timesteps: int
    max_pools: MaxPool | None
    nodes: dict[str, Node] = field(default_factory=dict)
    now: dict[str, str] = field(default_factory=dict)
    spikes: dict[str, tuple[str, float]] = field(default_factory=dict)
    answer: tuple[str, str] = ("", "")

    def converted(self) -> Graph:
        """The whole graph.

        Raises:
            UnsupportedError: an operation on rates that is neither linear nor an activation.
        """
        for node in self.graph.nodes:
            self.now[node.name] = self._node(node)
        (output,) = self.graph.outputs
        final = self._averaged(output) if self._timed(self.now[output]) else self.now[output]
        made = Graph(
            tuple(self.nodes.values()), (final,), self.timesteps, self.graph.name, self.graph.notes
        )
        return made.select(made.outputs)

    def _node(self, node: Node) -> str:
        if is_activation(node) and node.name in self.thresholds:
            return self._neuron(node)
        timed = [name for name in node.inputs if self._timed(self.now[name])]
        if not timed:
            return self._add(replace(node, inputs=tuple(self.now[name] for name in node.inputs)))
        role = kind_of(node).role
        if role is Role.POOLING:
            return self._pool(node)
        if role in LINEAR_ROLES:
            return self._linear(node)
        self._require_finish(node)
        return self._add(replace(node, inputs=tuple(self._averaged(name) for name in node.inputs)))

    def _neuron(self, node: Node) -> str:
        theta = self.thresholds[node.name].threshold
        stated = {
            "kind": "lif", "threshold": theta, "decay": 1.0, "v_reset": 0.0,
            "reset": str(Reset.SOFT), "fires_at": "ge", "initial": theta / 2,
            "time_axis": 1, "timesteps": self.timesteps,
        }  # fmt: skip
        axes = (BATCH, self._time, *node.axes[1:])
        current = self._by_step(self.now[node.inputs[0]], node)
        fires = Node(
            self._name(node, "neuron"), "neuron", (current,), stated, axes=axes, module=node.label
        )
        name, fired = self._name(node, "spikes"), self._add(fires)
        spikes = Node(name, "view", (fired,), axes=self._folded(node))
        return self._worth(node, self._add(spikes), theta)

    def _worth(self, node: Node, spikes: str, theta: float) -> str:
        """Spikes times what each stands for."""
        worth = {"factor": theta, "offset": 0.0}
        name = self._add(Node(node.name, "scale", (spikes,), worth, axes=self.nodes[spikes].axes))
        self.spikes[name] = (spikes, theta)
        return name

    def _pool(self, node: Node) -> str:
        if self.max_pools is None:
            raise UnsupportedError(MAX_POOL.format(label=node.label), node=node.label)
        source = self.now[node.inputs[0]]
        if self.max_pools == "average":
            if any(node.attributes["padding"]):
                raise UnsupportedError(
                    f"{node.label} pads its windows: --max-pool average has no such pool; take"
                    " --max-pool any, or train with pools without padding",
                    node=node.label,
                )
            kept = {key: node.attributes[key] for key in ("kernel", "stride")}
            return self._linear(replace(node, op="avg_pool", attributes=kept))
        if source not in self.spikes:
            raise UnsupportedError(
                f"{node.label} takes the maximum of other values than a ReLU's: --max-pool any"
                " needs spikes there; take --max-pool average, or put the ReLU in front of it",
                node=node.label,
            )
        spikes, theta = self.spikes[source]
        pooled = replace(
            node, name=self._name(node, "spikes"), inputs=(spikes,), axes=self._folded(node)
        )
        return self._worth(node, self._add(pooled), theta)

    def _linear(self, node: Node) -> str:
        inputs = tuple(
            self._at_every_step(self.now[name], self.graph.by_name[name]) for name in node.inputs
        )
        return self._add(replace(node, inputs=inputs, axes=self._folded(node)))

    def _require_finish(self, node: Node) -> None:
        """Refuse what is not done to the answer alone, once it is averaged."""
        finishes = has(node, Trait.FINISHES) or has(node, Trait.CHOOSES)
        behind = (node.name in self.graph.ancestors([name]) for name in self.thresholds)
        if finishes and not any(behind):
            return
        raise UnsupportedError(
            f"{node.label}: {node.op} of rates of spikes cannot be converted: it is neither linear"
            " nor a ReLU; train the network with ReLU there",
            node=node.label, reason=node.op,
        )  # fmt: skip

    # time

    @property
    def _time(self) -> Dimension:
        return (("time", self.timesteps),)

    def _timed(self, name: str) -> bool:
        return self.nodes[name].has_time

    def _folded(self, node: Node) -> tuple[Dimension, ...]:
        """The node's axes, steps folded into the batch dimension."""
        if node.axes[0] != BATCH:
            raise UnsupportedError(
                f"{node.label} moves the dimension of the samples, which must stay the first one",
                node=node.label, reason=node.op,
            )  # fmt: skip
        return ((*BATCH, *self._time), *node.axes[1:])

    def _by_step(self, source: str, node: Node) -> str:
        """A value (samples, T, ...); one without time is the same at every step."""
        axes = (BATCH, self._time, *node.axes[1:])
        if self._timed(source):
            return self._add(Node(self._name(node, "by_step"), "view", (source,), axes=axes))
        one = (BATCH, (), *node.axes[1:])
        single = self._add(Node(self._name(node, "one_step"), "view", (source,), axes=one))
        return self._add(Node(self._name(node, "every_step"), "expand", (single,), axes=axes))

    def _at_every_step(self, source: str, node: Node) -> str:
        """A value (samples * T, ...)."""
        if self._timed(source):
            return source
        steps = self._by_step(source, node)
        return self._add(
            Node(self._name(node, "folded"), "view", (steps,), axes=self._folded(node))
        )

    def _averaged(self, name: str) -> str:
        """The mean over the steps of the new node for one of the ANN's."""
        source, node = self.now[name], self.graph.by_name[name]
        if not self._timed(source):
            return source
        steps = self._by_step(source, node)
        over = {"dimensions": [1], "keep": False}
        self.answer = (steps, name)
        return self._add(Node(self._name(node, "mean"), "mean", (steps,), over, axes=node.axes))

    def _add(self, node: Node) -> str:
        assert node.name not in self.nodes, node.name
        self.nodes[node.name] = node
        return node.name

    def _name(self, node: Node, what: str) -> str:
        name = f"{node.name}_{what}"
        while name in self.nodes or name in self.graph.by_name:
            name += "_"
        return name
