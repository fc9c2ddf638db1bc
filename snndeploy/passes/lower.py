"""Lower a partitioned graph to populations and projections, in real numbers.

Everything between two layers of neurons is linear, so the current of a population is a sum

    current = sum over sources of connection(spikes of source)  +  encoder's part  +  offset

which is carried along the graph as an `Expression` and written down when a neuron is reached.
Norms scale kernels, average pools and 1x1 shortcut convolutions compose with the kernels behind
them, the offset is the graph evaluated at zero spikes, and the encoder's part is left to the host.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch

from snndeploy.errors import UnsupportedError
from snndeploy.graph import Graph, Node, Signal, sizes
from snndeploy.network import Connection, Conv, Dense, Shape
from snndeploy.ops import KINDS
from snndeploy.ops.evaluate import by_step, node_inputs
from snndeploy.passes.compose import (
    NotComposable,
    average_pool,
    compose_conv,
    compose_dense,
    identity,
    is_identity,
    scale_outputs,
    sum_of,
    symmetric,
)
from snndeploy.passes.partition import block
from snndeploy.passes.real_network import RealNetwork, RealPopulation, RealReadout, Term

Shortcuts = Literal["compose", "relay"]


@dataclass(frozen=True, eq=False)
class Expression:
    """What a node's value is, per step, in terms of populations.

    shape: the value as (channels, rows, columns).  offset: the node's own tensor at zero spikes
    and zero encoder values, one sample.  host: node of the encoder graph with the encoder's part.
    """

    shape: Shape
    terms: tuple[Term, ...]
    offset: Any
    host: str = ""


def lower(graph: Graph, shortcuts: Shortcuts) -> RealNetwork:
    """The network of a partitioned graph.

    shortcuts: 'compose' merges a layer that reads currents with the kernels before it; 'relay'
    gives it a population that forwards the current as graded spikes.

    Raises:
        UnsupportedError: a node that the chip cannot do, with the reason and a way out.
    """
    return _Lowering(graph, shortcuts).network()


class _Lowering:
    def __init__(self, graph: Graph, shortcuts: Shortcuts) -> None:
        self.graph, self.shortcuts = graph, shortcuts
        self.expressions: dict[str, Expression] = {}
        self.populations: list[RealPopulation] = []
        self.host_nodes: dict[str, Node] = {
            node.name: node for node in graph.nodes if node.side == "encoder"
        }
        self.driven = {n.name for n in graph.nodes if n.side in ("body", "readout")}
        self.crossed = False
        self.notes: list[str] = []

    def network(self) -> RealNetwork:
        for node in self.graph.nodes:
            if node.side != "encoder":
                self.expressions[node.name] = self._expression(node)
        readout = self._readout(self.graph.by_name[self.graph.outputs[0]])
        used = [p.host for p in self.populations if p.host]
        used += [p.node for p in self.populations if p.kind == "input"]
        encoder = replace(self.graph, nodes=tuple(self.host_nodes.values()), outputs=())
        return RealNetwork(
            populations=tuple(self.populations),
            readout=readout,
            encoder=encoder.select(dict.fromkeys(used)),
            timesteps=self.graph.timesteps,
            shortcuts=self.shortcuts if self.crossed else "none",
            notes=tuple(self.notes),
        )

    # one node

    def _expression(self, node: Node) -> Expression:
        sources = [self._source(name) for name in node.inputs]
        if node.op == "neuron":
            return self._neuron(node, sources[0])
        if node.op == "max_pool":
            return self._or(node, sources[0])
        time_mean = node.side == "readout" and node.op in ("mean", "sum")
        refused = None if time_mean else block(node, self.graph, self.driven)
        if refused or not KINDS[node.op].linear:
            raise self._refuse(node, refused.reason if refused else f"{node.op} is not linear")
        return self._linear(node, sources)

    def _source(self, name: str) -> Expression:
        """The expression of an input; an encoder node becomes host work or an input population."""
        if name in self.expressions:
            return self.expressions[name]
        node = self.graph.by_name[name]
        assert node.side == "encoder" and node.signal is not None
        shape = volume(node)
        zero = torch.zeros(sizes(node.axes, 1), dtype=torch.float64)
        if node.signal.kind == "real" or node.signal.constant:
            found = Expression(shape, (), zero, host=name)
        else:
            self._add(RealPopulation(self._unique(node.label), "input", shape, name))
            terms = (Term(self.populations[-1].name, identity(shape[0])),)
            found = Expression(shape, terms, zero)
        self.expressions[name] = found
        return found

    def _neuron(self, node: Node, source: Expression) -> Expression:
        name = self._unique(node.label)
        offset = self._offset(self.graph.by_name[node.inputs[0]], source)
        self._add(
            RealPopulation(
                name, "lif", source.shape, node.name, node.inputs[0],
                source.terms, source.host, self._constant(source.host), offset, node.attributes,
            )
        )  # fmt: skip
        return self._identity(name, source.shape, node)

    def _or(self, node: Node, source: Expression) -> Expression:
        """Max pooling of spikes: a neuron that fires when any spike arrives."""
        refused = block(node, self.graph, self.driven)
        single = len(source.terms) == 1 and is_identity(source.terms[0].connection)
        if refused or source.host or not single:
            reason = refused.reason if refused else "takes the maximum of more than one source"
            raise self._refuse(node, reason)
        kernel, stride = tuple(node.attributes["kernel"]), tuple(node.attributes["stride"])
        window = Conv(
            np.ones((source.shape[0], 1, *kernel)), stride, tuple(node.attributes["padding"]),
            groups=source.shape[0],
        )  # fmt: skip
        name = self._unique(node.label)
        shape = window.output_shape(source.shape)
        self._add(
            RealPopulation(name, "or", shape, node.name, "", (Term(source.terms[0].source, window),))
        )
        return self._identity(name, shape, node)

    def _identity(self, name: str, shape: Shape, node: Node) -> Expression:
        zero = torch.zeros(sizes(node.axes, 1), dtype=torch.float64)
        return Expression(shape, (Term(name, identity(shape[0])),), zero)

    # linear operations

    def _linear(self, node: Node, sources: list[Expression]) -> Expression:
        offsets = [source.offset for source in sources]
        offset = KINDS[node.op].evaluate(node, offsets, 1, self.graph.timesteps)
        if node.op in ("add", "subtract"):
            return self._sum(node, sources, offset)
        (source,) = sources
        if node.op in ("conv", "linear") and self._wants_relay(node, source):
            source = self._relay(node, source)
        try:
            terms = tuple(
                Term(term.source, self._through(node, source.shape, term)) for term in source.terms
            )
        except NotComposable as reason:
            raise self._refuse(node, f"has no single spike-driven kernel: {reason}") from None
        host = self._on_host(node, [source.host]) if source.host else ""
        return Expression(self._shape_after(node, source.shape), terms, offset, host)

    def _through(self, node: Node, shape: Shape, term: Term) -> Connection:
        """The term's connection with one more linear operation behind it."""
        inner = term.connection
        source = self._population(term.source).shape
        if node.op == "conv":
            weight = np.asarray(node.parameters["weight"], dtype=np.float64)
            weight, padding = symmetric(weight, tuple(node.attributes["padding"]))
            outer = Conv(
                weight, tuple(node.attributes["stride"]), padding,
                tuple(node.attributes["dilation"]), int(node.attributes["groups"]),
            )  # fmt: skip
            return compose_conv(outer, inner, source)
        if node.op == "linear":
            weight = np.asarray(node.parameters["weight"], dtype=np.float64)
            return compose_dense(weight.reshape(weight.shape[0], *shape), inner, source)
        if node.op == "norm":
            return scale_outputs(inner, node.parameters["scale"])
        if node.op == "scale":
            return scale_outputs(inner, np.asarray(node.attributes["factor"]))
        if node.op == "avg_pool":
            kernel, stride = tuple(node.attributes["kernel"]), tuple(node.attributes["stride"])
            return compose_conv(average_pool(shape[0], kernel, stride), inner, source)
        if node.op in ("mean", "sum"):
            return self._reduced(node, shape, inner, source)
        if node.op in ("view", "permute"):
            return inner
        raise NotComposable(f"operation {node.op}")

    def _reduced(self, node: Node, shape: Shape, inner: Connection, source: Shape) -> Connection:
        plane = self._reduces_plane(node)
        if not plane:
            return inner  # over time: the readout sums
        if isinstance(inner, Dense):
            raise NotComposable("a mean over the plane behind a dense layer")
        window = average_pool(shape[0], shape[1:], shape[1:])
        if node.op == "sum":
            window = Conv(np.ones_like(window.weight), window.stride, groups=shape[0])
        return compose_conv(window, inner, source)

    def _reduces_plane(self, node: Node) -> bool:
        """True for a reduction over rows and columns, False for one over time alone."""
        (source,) = node_inputs(self.graph, node)
        labels = [
            {label for label, _ in source.axes[index]} for index in node.attributes["dimensions"]
        ]
        if all(label == {"time"} for label in labels):
            return False
        plane = [len(source.axes) - 2, len(source.axes) - 1]
        if node.attributes["dimensions"] == plane and len(source.step_shape) == 3:
            return True
        raise NotComposable("a reduction over other dimensions than time, or rows and columns")

    def _shape_after(self, node: Node, shape: Shape) -> Shape:
        if node.op in ("view", "permute"):
            self._check_order(node)
            return volume(node) if len(node.step_shape) == 3 else shape
        if node.op in ("mean", "sum") and not self._reduces_plane(node):
            return shape
        return volume(node)

    def _check_order(self, node: Node) -> None:
        """Views and permutations in the body may move time and batch, not features."""
        (source,) = node_inputs(self.graph, node)
        if node.op == "permute":
            order = [i for i in node.attributes["order"] if _is_feature(source.axes[i])]
            if order != sorted(order):
                raise self._refuse(node, "reorders channels, rows or columns")

    def _sum(self, node: Node, sources: list[Expression], offset: Any) -> Expression:
        shapes = {source.shape for source in sources}
        if len(shapes) != 1:
            raise self._refuse(node, f"adds values of shapes {sorted(shapes)}")
        signs = [1.0, -1.0 if node.op == "subtract" else 1.0]
        merged: list[Term] = []
        for sign, source in zip(signs, sources, strict=True):
            for term in source.terms:
                signed = term if sign > 0 else _negated(term)
                merged = _merge(merged, signed)
        hosts = [source.host for source in sources]
        host = ""
        if any(hosts):
            present = [h for h in hosts if h]
            only_first = len(present) == 1 and (node.op == "add" or bool(hosts[0]))
            host = present[0] if only_first else self._on_host(node, hosts)
        return Expression(sources[0].shape, tuple(merged), offset, host)

    # relays

    def _wants_relay(self, node: Node, source: Expression) -> bool:
        """A layer that reads currents instead of spikes, in front of a neuron."""
        if node.side != "body" or all(is_identity(t.connection) for t in source.terms):
            return False
        if not self._is_stream(node):
            return False
        self.crossed = True
        return self.shortcuts == "relay"

    def _is_stream(self, node: Node) -> bool:
        """Its input passes a conv or linear layer before it meets a neuron."""
        stack = list(node.inputs)
        while stack:
            current = self.graph.by_name[stack.pop()]
            if current.side == "encoder" or current.op == "neuron":
                continue
            if current.op in ("conv", "linear"):
                return True
            stack.extend(current.inputs)
        return False

    def _relay(self, node: Node, source: Expression) -> Expression:
        """A population that forwards the current; one for all layers that read the same value."""
        current = self.graph.by_name[node.inputs[0]]
        while KINDS[current.op].view:
            current = self.graph.by_name[current.inputs[0]]
        name = f"relay:{current.name}"
        takes_host = bool(source.host) and not self._constant(source.host)
        if name not in {population.name for population in self.populations}:
            host = source.host if takes_host else ""
            self._add(
                RealPopulation(
                    name, "relay", source.shape, current.name, current.name, source.terms, host
                )
            )
        terms = (Term(name, identity(source.shape[0])),)
        return replace(source, terms=terms, host="" if takes_host else source.host)

    # host

    def _on_host(self, node: Node, hosts: list[str]) -> str:
        """The node without its constant part, repeated on the encoder's side."""
        name = f"{node.name}@host({','.join(h or '0' for h in hosts)})"
        if name in self.host_nodes:
            return name
        present = [h for h in hosts if h]
        parameters = {k: v for k, v in node.parameters.items() if k != "bias"}
        if "shift" in parameters:
            parameters["shift"] = np.zeros_like(parameters["shift"])
        attributes = dict(node.attributes)
        if "offset" in attributes:
            attributes["offset"] = 0.0
        constant = all(self._constant(h) for h in present)
        op = node.op
        if len(present) == 1 and op == "subtract":
            op, attributes = "scale", {"factor": -1.0, "offset": 0.0}
        self.host_nodes[name] = replace(
            node, name=name, op=op, inputs=tuple(present), parameters=parameters,
            attributes=attributes, signal=Signal("real", None, constant), side="encoder",
            why="the encoder's part of a membrane shortcut",
        )  # fmt: skip
        return name

    def _constant(self, host: str) -> bool:
        if not host:
            return False
        signal = self.host_nodes[host].signal
        return signal is not None and signal.constant

    # helpers

    def _offset(self, node: Node, expression: Expression) -> np.ndarray | None:
        offset = by_step(node, expression.offset, 1)[0, 0].reshape(expression.shape)
        return offset if np.any(offset) else None

    def _population(self, name: str) -> RealPopulation:
        return next(p for p in self.populations if p.name == name)

    def _add(self, population: RealPopulation) -> None:
        self.populations.append(population)

    def _unique(self, label: str) -> str:
        names = {population.name for population in self.populations}
        found, count = label, 1
        while found in names:
            count += 1
            found = f"{label}#{count}"
        return found

    def _readout(self, node: Node) -> RealReadout:
        expression = self._source(node.name)
        if expression.host:
            raise self._refuse(node, "adds the encoder's values to the output behind the last neuron")
        if not expression.terms:
            raise self._refuse(node, "does not depend on any spike")
        steps = self.graph.timesteps
        summed, factor = self._time_factor(node)
        if not summed:
            self.notes.append("the model answers at every step; the steps' answers are averaged")
        offset = expression.offset.reshape(-1, int(np.prod(expression.shape)))
        constant = offset.mean(0).numpy()
        (first, *others) = expression.terms
        if not others and is_identity(first.connection) and not np.any(constant):
            return RealReadout(first.source, "count", factor, constant)
        self._add(
            RealPopulation("readout", "integrator", expression.shape, node.name, "", expression.terms)
        )
        assert steps > 0
        return RealReadout("readout", "membrane", factor, constant)

    def _time_factor(self, node: Node) -> tuple[bool, float]:
        """Was time reduced on the way to the output, and by which factor on the sum over T?"""
        stack = [node]
        while stack:
            current = stack.pop()
            inputs = node_inputs(self.graph, current)
            if current.op in ("mean", "sum") and KINDS[current.op].contracts_time(current, inputs):
                return True, 1.0 if current.op == "sum" else 1.0 / self.graph.timesteps
            if current.op != "neuron":
                stack.extend(inputs)
        return False, 1.0 / self.graph.timesteps

    def _refuse(self, node: Node, reason: str) -> UnsupportedError:
        way_out = (
            "move it into the encoder, fold a static scaling into the weights, or drop it and"
            " fine-tune; a target with a multiply unit could run it"
        )
        return UnsupportedError(
            f"{node.label} ({node.op}) cannot run on the chip: it {reason}; {way_out}",
            node=node.label,
            reason=reason,
        )


def volume(node: Node) -> Shape:
    """The node's step shape as (channels, rows, columns)."""
    shape = node.step_shape
    padded = (*shape, 1, 1)[:3] if len(shape) < 3 else shape
    assert len(padded) == 3, f"{node.name} has step shape {shape}"
    return padded


def _is_feature(dimension: tuple[tuple[str, int], ...]) -> bool:
    return any(label == "feature" for label, _ in dimension)


def _negated(term: Term) -> Term:
    return Term(term.source, scale_outputs(term.connection, np.asarray(-1.0)))


def _merge(terms: list[Term], new: Term) -> list[Term]:
    """Add a term; kernels of equal form from one source become one."""
    for index, term in enumerate(terms):
        if term.source != new.source:
            continue
        total = sum_of(term.connection, new.connection)
        if total is not None:
            return [*terms[:index], Term(new.source, total), *terms[index + 1 :]]
    return [*terms, new]
