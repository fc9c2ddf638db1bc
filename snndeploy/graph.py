"""Graph: an ordered list of nodes in real numbers, from the traced model to the lowered network.

A node's tensor keeps the shape that the user's model gives it.  What each dimension *means* is in
`axes`: a dimension is a tuple of atoms `(label, size)` whose product is its size, so a model may
fold time and batch into one dimension and the compiler still knows which is which.  The batch
atom has size 1 (shapes are those of one sample); evaluation puts the real batch size there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    import networkx

Atom = tuple[str, int]  # ("batch" | "time" | "feature", size)
Dimension = tuple[Atom, ...]
Axes = tuple[Dimension, ...]
Kind = Literal["binary", "integer", "real"]
Side = Literal["", "encoder", "body", "readout"]

KINDS: tuple[Kind, ...] = ("binary", "integer", "real")
NO_NEURON = (
    "no spiking neuron was recognised in the model; give its neurons a method neuron_parameters(),"
    " or an adapter with --adapters; an ANN (ReLU) becomes a spiking network with snndeploy compile"
    " --convert --timesteps 32 --calibration DATA.npz; a network without spikes can only be costed"
    " (snndeploy inspect --energy)"
)


@dataclass(frozen=True)
class Signal:
    """What travels on an edge: its kind, largest magnitude (None: unknown), same at every step?"""

    kind: Kind
    bound: float | None = None
    constant: bool = False

    def __str__(self) -> str:
        bound = "" if self.bound is None or self.kind != "integer" else f"<={self.bound:g}"
        return f"{self.kind}{bound}{' constant' if self.constant else ''}"


@dataclass(frozen=True)
class Block:
    """Why the chip cannot do a node; `flag` names what it would need, `advice` what it can do."""

    reason: str
    flag: str = ""
    advice: str = ""


@dataclass(frozen=True, eq=False)
class Node:
    """One operation.

    op: a name in `snndeploy.ops.KINDS`.  attributes: JSON values.  parameters: arrays.
    module: path of the user's module it came from ('' where there is none).  body: of a neuron
    with attention in its membrane loop, the graph of one step from U to the refined U.  feedback:
    of a recurrent neuron, the linear graph of one step from its last spikes (0 at first) to what
    they add to its input.  block: of a partitioned graph, why the chip cannot do it (None: it can);
    not in files, since it follows.
    """

    name: str
    op: str
    inputs: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, np.ndarray] = field(default_factory=dict)
    axes: Axes = ()
    module: str = ""
    signal: Signal | None = None
    side: Side = ""
    why: str = ""
    body: Graph | None = None
    feedback: Graph | None = None
    block: Block | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape for one sample, time included."""
        return tuple(prod(size for _, size in dimension) for dimension in self.axes)

    @property
    def step_shape(self) -> tuple[int, ...]:
        """Shape of one sample at one time step, without batch and time dimensions."""
        sizes = []
        for dimension in self.axes:
            features = [size for label, size in dimension if label == "feature"]
            if features or not dimension:
                sizes.append(prod(features))
        return tuple(sizes)

    @property
    def has_time(self) -> bool:
        return any(label == "time" for dimension in self.axes for label, _ in dimension)

    @property
    def is_input(self) -> bool:
        return self.op == "input"

    @property
    def is_neuron(self) -> bool:
        return self.op == "neuron"

    @property
    def label(self) -> str:
        """The name that a user knows: the module's path, else the node's."""
        return self.module or self.name


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes in execution order; exactly one has op 'input'; `outputs` are node names.

    notes: what the proof that it is the model left open; not in files, where facts say it.
    """

    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    timesteps: int
    name: str = ""
    notes: tuple[str, ...] = ()

    @cached_property
    def by_name(self) -> dict[str, Node]:
        return {node.name: node for node in self.nodes}

    @cached_property
    def users(self) -> dict[str, tuple[str, ...]]:
        users: dict[str, list[str]] = {node.name: [] for node in self.nodes}
        for node in self.nodes:
            for source in dict.fromkeys(node.inputs):
                users[source].append(node.name)
        return {name: tuple(names) for name, names in users.items()}

    @property
    def input(self) -> Node:
        return next(node for node in self.nodes if node.is_input)

    def neurons(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if node.is_neuron)

    def ancestors(self, names: Iterable[str]) -> set[str]:
        """The named nodes and everything they depend on."""
        wanted = set(names)
        for node in reversed(self.nodes):
            if node.name in wanted:
                wanted.update(node.inputs)
        return wanted

    def select(self, outputs: Iterable[str]) -> Graph:
        """The part of the graph that computes `outputs`."""
        outputs = tuple(outputs)
        wanted = self.ancestors(outputs) | {self.input.name}
        return replace(
            self, nodes=tuple(n for n in self.nodes if n.name in wanted), outputs=outputs
        )

    def to_networkx(self) -> networkx.DiGraph[str]:
        """Names of nodes, an edge from each input; attribute `node` is the Node itself."""
        import networkx  # not at the top: it takes as long to import as `--help` to print

        found: networkx.DiGraph[str] = networkx.DiGraph()
        for node in self.nodes:
            found.add_node(node.name, node=node)
            found.add_edges_from((source, node.name) for source in node.inputs)
        return found

    def with_nodes(self, nodes: Iterable[Node]) -> Graph:
        return replace(self, nodes=tuple(nodes))


def sizes(axes: Axes, batch: int, timesteps: int | None = None) -> list[int]:
    """Concrete dimension sizes: the batch atom counts `batch`; time atoms may be overridden."""
    values = {"batch": batch}
    if timesteps is not None:
        values["time"] = timesteps
    return [prod(values.get(label, size) for label, size in dimension) for dimension in axes]


def check(graph: Graph, stage: Literal["traced", "signals", "partitioned"]) -> None:
    """Assert what a stage promises (our mistakes, not the user's)."""
    seen: set[str] = set()
    for node in graph.nodes:
        assert node.name not in seen, f"node {node.name} appears twice"
        assert set(node.inputs) <= seen, f"node {node.name} reads a later or missing node"
        assert node.axes or node.is_input, f"node {node.name} has no axes"
        if stage in ("signals", "partitioned"):
            assert node.signal is not None, f"node {node.name} has no signal"
        if stage == "partitioned":
            assert node.side, f"node {node.name} is on no side"
        seen.add(node.name)
    assert set(graph.outputs) <= seen, "an output is missing"


def to_text(graph: Graph, *, arrays: bool = False) -> str:
    """One line a node, for people and golden files; arrays: also parameters, bodies of neurons."""
    lines = [f"graph {graph.name} timesteps={graph.timesteps} outputs={','.join(graph.outputs)}"]
    for node in graph.nodes:
        words = [f"{key}={value}" for key, value in sorted(node.attributes.items())]
        if arrays:
            held = sorted(node.parameters.items())
            words += [f"{key}={array_text(value)}" for key, value in held]
        shape = "x".join(map(str, node.shape))
        inputs = ", ".join(node.inputs)
        line = f"{node.name} = {node.op}({inputs}) [{shape}] {' '.join(words)}".rstrip()
        extra = " ".join(filter(None, [str(node.signal or ""), node.side]))
        lines.append(f"{line}  # {extra}" if extra else line)
        for inner in (node.body, node.feedback):
            if arrays and inner is not None:
                lines += [f"  {line}" for line in to_text(inner, arrays=True).splitlines()]
    return "\n".join(lines) + "\n"


def array_text(array: np.ndarray) -> str:
    """Type, shape and a short hash of the values; floats as float32, without negative zeros."""
    array = np.asarray(array)
    values = array.astype("<f4") + 0.0 if array.dtype.kind == "f" else array.astype("<i8")
    short = hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()[:8]
    return f"{array.dtype.name}[{','.join(map(str, array.shape))}]#{short}"
