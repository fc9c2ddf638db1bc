"""Lower a partitioned graph to populations and projections, in real numbers.

Everything between two layers of neurons is linear, so the current of a population is a sum

    current = sum over sources of connection(spikes of source)  +  encoder's part  +  offset

which is carried along the graph as an `Expression` and written down when a neuron is reached.
Norms scale kernels, average pools and 1x1 shortcut convolutions compose with the kernels behind
them, the offset is the graph evaluated at zero spikes, and the encoder's part is left to the host.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from math import prod
from typing import Any, Literal

import numpy as np

from snndeploy.connections import Conv, Shape
from snndeploy.connections.algebra import (
    NotComposable,
    compose_conv,
    compose_dense,
    is_count,
    is_identity,
)
from snndeploy.errors import UnsupportedError, Violation, refusal
from snndeploy.graph import Graph, Node
from snndeploy.lower import readout as readouts
from snndeploy.lower.expression import (
    Expression,
    constant_part,
    constant_parts,
    merged,
    offset_behind,
    spikes_of,
)
from snndeploy.lower.host_part import HostPart
from snndeploy.lower.real_network import (
    RealLayer,
    RealNetwork,
    RealPopulation,
    RealReadout,
    Term,
)
from snndeploy.network import ReadingKind
from snndeploy.neurons import equation_of
from snndeploy.ops import Role, is_layer, kind_of
from snndeploy.ops.evaluate import node_inputs
from snndeploy.ops.form import Delayed
from snndeploy.ops.kind import Firing, OnSpikes
from snndeploy.passes.regions import Region, attention_regions
from snndeploy.passes.streams import reads_current

Shortcuts = Literal["compose", "relay"]
STAND_IN = "in place of "  # begins the name of a population that stands for what is refused


def lower(graph: Graph, shortcuts: Shortcuts, *, attention: bool = False) -> RealNetwork:
    """The network of a partitioned graph.

    shortcuts: 'compose' merges a layer that reads currents with the kernels before it; 'relay'
    gives it a population that forwards the current as graded spikes.  attention: there is a unit
    for attention in the body, on the chip or the host; without one it is refused.

    Raises:
        UnsupportedError: a node that the chip cannot do, with the reason and a way out.
    """
    found = gather(graph, shortcuts, attention=attention)
    if found.violations:
        raise refusal(found.violations)
    return found.network


@dataclass(frozen=True, eq=False)
class Lowered:
    """A network and all that stands against it; with violations it is a stand-in, not for use."""

    network: RealNetwork
    violations: tuple[Violation, ...]


def gather(graph: Graph, shortcuts: Shortcuts, *, attention: bool = False) -> Lowered:
    """As `lower`, but every node that the chip cannot do is gathered.

    Behind one, the walk goes on with a population in its place, as if the chip could do it.
    """
    lowering = _Lowering(graph, shortcuts, attention)
    network = lowering.network()
    return Lowered(network, tuple(lowering.violations))


class _Lowering:
    def __init__(self, graph: Graph, shortcuts: Shortcuts, attention: bool) -> None:
        self.graph, self.shortcuts, self.attention = graph, shortcuts, attention
        self.regions = attention_regions(graph)
        self.results = {r.result: r for r in self.regions if r.location != "membrane"}
        self.inside = {n.name for r in self.results.values() for n in r.graph.nodes}
        self.inside -= {region.source for region in self.results.values()}
        self.expressions: dict[str, Expression] = {}
        self.populations: dict[str, RealPopulation] = {}
        self.host = HostPart(graph)
        self.crossed = False
        self.notes: list[str] = []
        self.layers: list[RealLayer] = []
        self.violations: list[Violation] = []
        self.rearranged: set[str] = set()
        self.finishing = readouts.finishing(graph)

    def network(self) -> RealNetwork:
        for node in self.graph.nodes:
            if node.name in self.results and node.side != "encoder":
                self._try(node, lambda n: self._refined(n, self.results[n.name]))
            elif node.side != "encoder" and node.name not in self.inside | self.finishing:
                self._try(node, self._expression)
        readout, *heads = (self._answer(name) for name in self.graph.outputs)
        if heads:
            self.notes.append(
                f"the model returns {len(heads) + 1} values: the first is the answer, the others"
                " are read and compared beside it"
            )
        populations = tuple(self.populations.values())
        used = [p.host for p in populations if p.host]
        used += [p.node for p in populations if p.kind == "input"]
        return RealNetwork(
            populations=populations,
            readout=readout,
            encoder=self.host.encoder(used),
            timesteps=self.graph.timesteps,
            shortcuts=self.shortcuts if self.crossed else "none",
            notes=tuple(self.notes),
            layers=tuple(self.layers),
            heads=tuple(heads),
        )

    # what is refused

    def _try(self, node: Node, expression: Callable[[Node], Expression]) -> None:
        """The node's expression; when it is refused, that of a population in its place.

        Views behind a refused view belong to the same rearrangement and are not told again.
        """
        try:
            self.expressions[node.name] = expression(node)
        except UnsupportedError as error:
            assert error.violations, error
            view = kind_of(node).role is Role.VIEW
            if not (view and node.inputs[0] in self.rearranged):
                self.violations += error.violations
            if view:
                self.rearranged.add(node.name)
            self.expressions[node.name] = self._stand_in(node)

    def _stand_in(self, node: Node) -> Expression:
        *channels, rows, columns = (*node.step_shape, *(1,) * (3 - len(node.step_shape)))
        shape = (prod(channels), rows, columns)
        name = self._unique(f"{STAND_IN}{node.label}")
        binary = node.signal is not None and node.signal.kind == "binary"
        self._add(RealPopulation(name, "or" if binary else "relay", shape, node.name))
        over_time = node.side == "readout" and not node.has_time
        ones = np.ones((1, self.graph.timesteps)) if over_time else None
        return replace(spikes_of(name, shape), over_time=ones)

    def _answer(self, name: str) -> RealReadout:
        try:
            return self._readout(name)
        except UnsupportedError as error:
            assert error.violations, error
            self.violations += error.violations
            return RealReadout("", "count", 1.0, np.zeros(0))

    # one node

    def _expression(self, node: Node) -> Expression:
        sources = [self._source(name) for name in node.inputs]
        kind, before = kind_of(node), node_inputs(self.graph, node)
        if kind.role is Role.NEURON:
            return self._neuron(node, sources[0])
        over_time = kind.linear is not None and kind.linear.over_time is not None
        if node.block and not (over_time and node.side == "readout"):
            raise self._refuse(node, node.block.reason + _place(node), node.block.advice)
        if isinstance(kind.chip, OnSpikes):
            firing = kind.chip.firing(node, before, sources[0].shape)
            if firing is not None:
                return self._firing(node, sources[0], firing)
        if kind.linear is None:
            raise self._refuse(node, "is not a linear operation")
        try:
            return replace(self._linear(node, sources), refined=sources[0].refined)
        except NotComposable as reason:
            raise self._refuse(node, f"has no single spike-driven kernel: {reason}") from None

    def _source(self, name: str) -> Expression:
        """The expression of an input; an encoder node becomes host work or an input population."""
        if name in self.expressions:
            return self.expressions[name]
        node = self.graph.by_name[name]
        assert node.side == "encoder" and node.signal is not None
        shape = self._volume(node)
        if node.signal.kind == "real" or node.signal.constant:
            found = Expression(shape, host=name)
        else:
            population = self._add(RealPopulation(self._unique(node.label), "input", shape, name))
            found = spikes_of(population.name, shape)
        self.expressions[name] = found
        return found

    def _neuron(self, node: Node, source: Expression) -> Expression:
        refined = source.refined
        inside = next((r for r in self.regions if node.body and r.result == node.name), None)
        if inside is not None and not self.attention:
            raise self._no_unit(node, inside)
        name = self._unique(node.label)
        offset = constant_part(self.graph.by_name[node.inputs[0]], source)
        back: tuple[Term, ...] = ()
        if node.feedback is not None:
            back, added = self._fed_back(node, name, source.shape)
            offset = added if offset is None else offset if added is None else offset + added
        population = self._add(
            RealPopulation(
                name=name,
                kind="lif",
                shape=source.shape,
                node=node.name,
                current=refined.source if refined else node.inputs[0],
                terms=(*source.terms, *back),
                host=source.host,
                host_constant=self.host.is_constant(source.host),
                offset=offset,
                neuron=equation_of(node.attributes),
                attention=tuple(region for region in (refined, inside) if region),
            )
        )
        return spikes_of(population.name, source.shape)

    def _fed_back(
        self, node: Node, name: str, shape: Shape
    ) -> tuple[tuple[Term, ...], np.ndarray | None]:
        """Terms of a recurrent neuron's own last spikes, and the constant that comes with them."""
        assert node.feedback is not None
        inner = _Lowering(node.feedback, "compose", attention=False)
        inner.populations[name] = RealPopulation(name, "input", shape, node.name)
        inner.expressions[node.feedback.input.name] = spikes_of(name, shape)
        for step in node.feedback.nodes:
            if not step.is_input:
                inner.expressions[step.name] = inner._expression(step)
        last = node.feedback.by_name[node.feedback.outputs[0]]
        found = inner.expressions[last.name]
        if found.shape != shape or set(inner.populations) != {name}:
            raise self._refuse(node, f"feeds back values of shape {found.shape}")
        return found.terms, constant_part(last, found)

    def _refined(self, node: Node, region: Region) -> Expression:
        """Attention in front of neurons is theirs; any other gets a population that forwards it."""
        if not self.attention:
            raise self._no_unit(node, region)
        source = self._source(region.source)
        before = self.graph.by_name[region.source]
        if source.over_time is not None or not source.terms:
            raise self._refuse(node, "refines values that no spike of the chip enters")
        if region.location == "current" and before.axes == node.axes:
            return replace(source, refined=region)
        population = self._add(
            RealPopulation(
                name=self._unique(f"attention:{region.label}"),
                kind="relay",
                shape=source.shape,
                node=region.result,
                current=region.source,
                terms=source.terms,
                host=source.host,
                host_constant=self.host.is_constant(source.host),
                offset=constant_part(before, source),
                attention=(region,),
            )
        )
        return spikes_of(population.name, source.shape)

    def _firing(self, node: Node, source: Expression, firing: Firing) -> Expression:
        """Neurons without memory that fire where enough spikes arrive at once."""
        self._require_counts(node, source)
        shape, terms = source.shape, source.terms
        if firing.window is not None:
            shape = firing.window.output_shape(source.shape)
            terms = tuple(self._window(term, firing.window) for term in terms)
        elif firing.level == 1 and all(map(self._asks_any, self.graph.users[node.name])):
            return source  # who asks for any spike may ask the sources themselves
        population = self._add(
            RealPopulation(
                self._unique(node.label), "or", shape, node.name, terms=terms, level=firing.level
            )
        )
        return spikes_of(population.name, shape)

    def _window(self, term: Term, window: Conv) -> Term:
        """Any spike in the window, however often it counts."""
        each = term.connection.with_weight(np.sign(term.connection.weight))
        shape = self.populations[term.source].shape
        return replace(term, connection=compose_conv(window, each, shape))

    def _asks_any(self, name: str) -> bool:
        return kind_of(self.graph.by_name[name]).role is Role.POOLING

    def _require_counts(self, node: Node, source: Expression) -> None:
        """Refuse what is not a sum of spikes of the neurons in the same place."""
        counted = all(is_count(term.connection) for term in source.terms)
        if not source.terms or not counted or source.host or source.offset is not None:
            raise self._refuse(node, "reads values that are no sum of spikes")

    # linear operations

    def _linear(self, node: Node, sources: list[Expression]) -> Expression:
        offset = offset_behind(self.graph, node, sources)
        if not is_layer(node):
            return self._behind(node, sources, offset)
        (source,) = sources
        if self._wants_relay(node, source):
            return self._layer(node, self._relay(node, source), offset)
        try:
            return self._layer(node, source, offset)
        except NotComposable:
            if self.shortcuts != "relay" or node.side != "body":
                raise
        self.crossed = True
        return self._layer(node, self._relay(node, source), offset)

    def _layer(self, node: Node, source: Expression, offset: Any) -> Expression:
        """`_behind`, and what a layer with weights reads is kept."""
        found = self._behind(node, [source], offset)
        sources = tuple(dict.fromkeys(term.source for term in source.terms))
        self.layers.append(RealLayer(node.name, sources, found.host))
        return found

    def _behind(self, node: Node, sources: list[Expression], offset: Any) -> Expression:
        """The node on every term of its inputs and on the host's part."""
        linear, steps = kind_of(node).linear, self.graph.timesteps
        assert linear is not None
        before = [
            readouts.as_time(origin, source.aside)
            for origin, source in zip(node_inputs(self.graph, node), sources, strict=True)
        ]
        forms = linear.forms(node, before, [source.shape for source in sources])
        parts = []
        for form, source in zip(forms, sources, strict=True):
            behind = cache(form.behind)  # one kernel that several populations share stays one
            waits = form.steps if isinstance(form, Delayed) else 0
            if waits and (source.host or source.offset is not None):
                raise NotComposable("a delay of a constant or of the encoder's values")
            if waits and source.over_time is not None:
                raise NotComposable("a delay of values that other steps are part of")
            parts.append(
                [
                    Term(
                        t.source,
                        behind(t.connection, self.populations[t.source].shape),
                        t.delay + waits,
                    )
                    for t in source.terms
                ]
            )
        terms = tuple(parts[0])
        for part, factor in zip(parts[1:], readouts.factors(sources, steps), strict=True):
            terms = merged(terms, part, factor)
        host = self.host.behind(node, [source.host for source in sources])
        read = readouts.behind(node, before, sources[0], steps)
        return Expression(forms[0].result, terms, offset, host, read.over_time, read.aside)

    # relays

    def _wants_relay(self, node: Node, source: Expression) -> bool:
        """A layer that reads currents instead of spikes, in front of a neuron."""
        direct = all(is_identity(term.connection) for term in source.terms)
        if node.side != "body" or direct or not reads_current(self.graph, node):
            return False
        self.crossed = True
        return self.shortcuts == "relay"

    def _relay(self, node: Node, source: Expression) -> Expression:
        """A population that forwards the current; one for all layers that read the same value."""
        current = self.graph.by_name[node.inputs[0]]
        while kind_of(current).view:
            current = self.graph.by_name[current.inputs[0]]
        name = f"relay:{current.name}"
        host = "" if self.host.is_constant(source.host) else source.host
        if name not in self.populations:
            self._add(
                RealPopulation(
                    name, "relay", source.shape, current.name, current.name, source.terms, host
                )
            )
        relayed = spikes_of(name, source.shape)
        return replace(source, terms=relayed.terms, host="" if host else source.host)

    # the answer

    def _readout(self, name: str) -> RealReadout:
        """How the head `name` is read, and what the host makes of it (`lower.readout`)."""
        node = self._last_linear(name)
        expression, steps = self._source(node.name), self.graph.timesteps
        if expression.host:
            raise self._refuse(node, "adds the encoder's values behind the last neuron")
        if not expression.terms:
            raise self._refuse(node, "does not depend on any spike")
        finish = readouts.rest(self.graph, node, name, self.finishing)
        rows, offset = readouts.rows_of(expression, steps), constant_parts(node, expression)
        if self.graph.by_name[name].has_time or (expression.over_time is None and finish is None):
            self.notes.append("the model answers at every step; the steps' answers are averaged")
        if finish is None and len(rows) > 1:
            rows = np.full((1, steps), 1.0 / steps) @ rows
            offset = None if offset is None else offset.mean(axis=0, keepdims=True)
        zero = np.zeros((1, prod(expression.shape)))
        constant = zero if offset is None else offset.reshape(len(offset), -1)
        read, kind = self._reading(node, expression, rows, exact=offset is None)
        self.notes += readouts.said(read, kind, expression.shape, steps, self._head(name), finish)
        source = expression.terms[0].source
        if kind == "membrane":
            source = self._unique("readout")
            terms = tuple(self._dense(term, expression.shape) for term in expression.terms)
            self._add(
                RealPopulation(
                    source, "integrator", expression.shape, node.name, terms=terms, keep=read.keep
                )
            )
        return RealReadout(
            source,
            kind,
            read.factor,
            constant[0] if len(constant) == 1 else constant,
            read.steps,
            read.weights,
            finish,
        )

    def _head(self, name: str) -> str:
        """What people call it."""
        others = self.graph.outputs
        return "the answer" if len(others) == 1 else f"head {others.index(name) + 1} ({name})"

    def _last_linear(self, name: str) -> Node:
        """The value that the host finishes to the head."""
        for node in readouts.inside(self.graph, name, self.finishing):
            if reason := readouts.unfit(node):
                raise self._refuse(node, reason + _place(node))
        first, *others = readouts.cut(self.graph, name, self.finishing)
        if others:
            both = f"{len(others) + 1} values that are read ({', '.join([first, *others])})"
            raise self._refuse(self.graph.by_name[name], f"makes the answer of {both}")
        return self.graph.by_name[first]

    def _reading(
        self, node: Node, expression: Expression, rows: np.ndarray, *, exact: bool
    ) -> tuple[readouts.Read, ReadingKind]:
        """Of the spikes themselves, where they are the value; else of a membrane.

        exact: no constant is added.
        """
        (first, *others) = expression.terms
        fires = self.populations[first.source].kind in ("lif", "or") and not first.delay
        decays = readouts.decays_of(self.graph, node.name)
        membrane = readouts.membrane_reading(rows, decays)
        if others or not fires or not is_identity(first.connection) or not exact:
            return membrane, "membrane"
        if len(rows) == 1 and np.all(rows == rows[0, 0]):
            return membrane, "count"
        spikes = readouts.spike_reading(rows)
        return (membrane, "membrane") if membrane.readings < spikes.readings else (spikes, "spikes")

    def _dense(self, term: Term, shape: Shape) -> Term:
        """Integrators without a plane read through dense connections."""
        if not term.connection.has_plane or shape[1:] != (1, 1):
            return term
        eye = np.eye(shape[0]).reshape(shape[0], shape[0], 1, 1)
        source = self.populations[term.source].shape
        return replace(term, connection=compose_dense(eye, term.connection, source))

    # helpers

    def _volume(self, node: Node) -> Shape:
        """The node's step shape as (channels, rows, columns)."""
        shape = (*node.step_shape, 1, 1, 1)[: max(3, len(node.step_shape))]
        if len(shape) != 3:
            raise self._refuse(node, f"has {len(shape)} dimensions {tuple(node.step_shape)}")
        return shape

    def _add(self, population: RealPopulation) -> RealPopulation:
        self.populations[population.name] = population
        return population

    def _unique(self, label: str) -> str:
        found, count = label, 1
        while found in self.populations:
            count += 1
            found = f"{label}#{count}"
        return found

    def _no_unit(self, node: Node, region: Region) -> UnsupportedError:
        """Attention on a chip that has no unit for it: what, where, and the nearest legal form."""
        advice = (
            "let the host do it between steps (--host-attention), choose a target with a MAC unit"
            " (hybrid45nm), fold fixed gates into the weights of the layer in front, or drop it and"
            " fine-tune"
        )
        said = f": {region.reason}, which the chip cannot do; {advice}"
        found = Violation(region.label, said, node.label, region.reason, node.op, advice=advice)
        return _refused(found)

    def _refuse(self, node: Node, reason: str, advice: str = "") -> UnsupportedError:
        way_out = advice or (
            "move it into the encoder, fold a static scaling into the weights, or drop it and"
            " fine-tune"
        )
        said = f" cannot run on the chip: it {reason}; {way_out}"
        place = f"{node.label} ({node.op})"
        return _refused(Violation(place, said, node.label, reason, node.op, advice=way_out))


def _refused(violation: Violation) -> UnsupportedError:
    error = refusal((violation,))
    assert isinstance(error, UnsupportedError)
    return error


def _place(node: Node) -> str:
    """Attention behind the last neuron is refused on every target: the answer is a sum there."""
    return " behind the last neuron" if node.side == "readout" else ""
