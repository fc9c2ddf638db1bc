"""What every operation must show: in the encoder, on the chip, inside attention, in a file.

A `Toy` brings the declaration and what it must give, computed another way.  Each check takes the
declaration in force, so that a wrong one can be put in its place (`test_operation`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from lowering_checks import check_model
from random_models import Neuron
from torch import nn

from snndeploy import program
from snndeploy.costs.attended import attention_of
from snndeploy.costs.events import sums_of_spikes
from snndeploy.costs.layers import layer_costs
from snndeploy.engines.engine import run_network
from snndeploy.errors import ProgramError, UnsupportedError
from snndeploy.frontend.door import ModelFacts, OpenedModel
from snndeploy.frontend.torch import trace
from snndeploy.graph import Block, Graph, Node
from snndeploy.ops import KINDS, OpKind, Trait
from snndeploy.ops.evaluate import by_step, evaluate
from snndeploy.ops.fixed_point import VALUE_BITS, evaluate_fixed, fixed_point
from snndeploy.passes.audit import audit
from snndeploy.passes.gates import score_layers
from snndeploy.passes.partition import partition
from snndeploy.passes.regions import attention_regions
from snndeploy.passes.signals import infer_signals
from snndeploy.pipeline import Options, compile_opened
from snndeploy.simulator.run import encode
from snndeploy.target import Target
from snndeploy.traffic.attention_work import work_of
from snndeploy.verdict import flags_of

STEPS, SAMPLES = 3, 4


@contextmanager
def declared(kind: OpKind) -> Iterator[None]:
    """The operation is one of the compiler's, as its line in `ops/__init__.py` would make it."""
    assert kind.name not in KINDS
    KINDS[kind.name] = kind
    try:
        yield
    finally:
        del KINDS[kind.name]


def over_time(layer: Any, x: Any) -> Any:
    flat = layer(x.flatten(0, 1))
    return flat.view(*x.shape[:2], *flat.shape[1:])


class Net(nn.Module):
    """A layer, neurons, and a linear readout; where the toy stands, the children say."""

    timesteps, input_signal, input_shape = STEPS, "binary", (STEPS, 2, 5, 5)
    time_first, readout = False, "mean"

    def __init__(self, toy: Callable[[], nn.Module]) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.first, self.toy = nn.Conv2d(2, 3, 3, padding=1), toy()
        self.neurons = nn.ModuleList(Neuron(0.25, 0.5, "gt") for _ in range(2))
        self.last = nn.LazyLinear(2)
        with torch.no_grad():
            self(self.example())
            for value in self.parameters():
                value.copy_(torch.randint(-4, 5, value.shape) / 4)

    def example(self, samples: int = 1, seed: int = 0) -> Any:
        generator = torch.Generator().manual_seed(seed)
        return torch.randint(0, 2, (samples, *self.input_shape), generator=generator).float()

    def forward(self, events: Any) -> Any:
        fired = self.neurons[0](over_time(self.first, events.transpose(0, 1)))
        return self.last(self.neurons[1](self.between(fired)).flatten(2)).mean(0)


class OnChip(Net):
    """The toy reads spikes."""

    def between(self, fired: Any) -> Any:
        return over_time(self.toy, fired)


class InEncoder(Net):
    """The toy reads the currents of a layer that images drive."""

    input_signal, input_shape = "real", (2, 5, 5)

    def forward(self, image: Any) -> Any:
        current = self.toy(self.first(image)).expand(STEPS, *[-1] * 4)
        return self.last(self.neurons[1](self.neurons[0](current)).flatten(2)).mean(0)


class InAttention(Net):
    """The toy is between the mean and the gate of a current."""

    def __init__(self, toy: Callable[[], nn.Module], gate: Callable[[Any, Any], Any]) -> None:
        self.gate = gate
        super().__init__(toy)

    def between(self, fired: Any) -> Any:
        current = over_time(self.first, fired[:, :, :2])
        return current * over_time(lambda x: self.gate(self.toy, x), current)


@dataclass(frozen=True)
class Toy:
    """What the declaration must give.

    module: as InEncoder and OnChip hold it; score: as InAttention does, with its gate.
    reference(module, x): numpy, float64.  block: why the chip cannot do it behind spikes, or None.
    layer: it has weights, and a row in audit and costs.
    """

    kind: OpKind
    module: Callable[[], nn.Module]
    score: Callable[[], nn.Module]
    gate: Callable[[Any, Any], Any]
    reference: Callable[[Any, np.ndarray], np.ndarray]
    block: Block | None
    layer: bool

    def seen(self, place: str) -> Graph:
        """The net with the toy 'in_encoder', 'on_chip' or 'in_attention', as partitioned by the
        declaration in force, but traced (once) by the right one."""
        return partition(infer_signals(self.graphs[place]), integer_input_on_chip=True)

    @cached_property
    def models(self) -> dict[str, Net]:
        return {
            "in_encoder": InEncoder(self.module).eval(),
            "on_chip": OnChip(self.module).eval(),
            "in_attention": InAttention(self.score, self.gate).eval(),
        }

    @cached_property
    def graphs(self) -> dict[str, Graph]:
        before = KINDS.get(self.kind.name)
        KINDS[self.kind.name] = self.kind
        try:
            return {place: trace(net, net.example()) for place, net in self.models.items()}
        finally:
            if before is None:
                del KINDS[self.kind.name]
            else:
                KINDS[self.kind.name] = before

    def nodes(self, graph: Graph) -> list[Node]:
        return [node for node in graph.nodes if node.op == self.kind.name]


# the checks, quick ones first


def computes_what_the_module_does(toy: Toy, kind: OpKind) -> None:
    """By numbers found another way; dimensions and signal as the front end saw them."""
    graph, module = toy.seen("in_encoder"), toy.models["in_encoder"].toy
    (node,) = toy.nodes(graph)
    (source,) = (graph.by_name[name] for name in node.inputs)
    x = np.random.default_rng(0).normal(size=(SAMPLES, *graph.input.shape[1:]))
    values = evaluate(graph, x, [node.name, source.name], double=True)
    found = by_step(node, values[node.name], SAMPLES)[:, 0]
    before = by_step(source, values[source.name], SAMPLES)[:, 0]
    wanted = toy.reference(module, before)
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)
    assert node.step_shape == wanted.shape[1:]
    assert kind.axes(node, [source.axes]) == node.axes
    assert (node.signal.kind, node.signal.constant) == ("real", True)
    assert not kind.contracts_time(node, [source])
    if Trait.KEEPS_COUNT in kind.traits:
        counts = torch.randint(0, 9, before.shape, dtype=torch.float64)
        kept = kind.evaluate(node, [counts], SAMPLES, 1)
        assert torch.equal(kept, kept.round().abs())


def is_traced(toy: Toy, kind: OpKind) -> None:
    """Through its operator of torch; `trace` compares the graph with the module."""
    model = toy.models["in_encoder"]
    assert toy.nodes(trace(model, model.example()))


def is_told(toy: Toy, kind: OpKind) -> None:
    """Sides and reasons; a row in the audit and the costs of a layer, counted by brute force."""
    graph = toy.seen("on_chip")
    (node,) = toy.nodes(graph)
    (source,) = (graph.by_name[name] for name in node.inputs)
    assert (node.side, node.block) == ("body", toy.block)
    assert sums_of_spikes(graph, node) is None
    found = audit(graph)
    if toy.block is not None:
        assert f"{node.label}: {toy.block.reason}" in flags_of(graph).reasons
    rows = [row for row in found.rows if row.layer == node.label]
    costs = [cost for cost in layer_costs(graph) if cost.name == node.label]
    assert bool(rows) == bool(costs) == toy.layer
    if toy.layer:
        counted, valid = by_brute_force(toy, toy.models["on_chip"].toy, source.step_shape)
        assert (rows[0].operations, rows[0].input_signal) == (counted * STEPS, "binary")
        assert (costs[0].flops, costs[0].events) == (counted, valid)
    (inside,) = toy.nodes(toy.seen("in_encoder"))
    reason = "multiplies real values" if toy.layer else toy.block.reason
    assert (inside.side, inside.block and inside.block.reason) == ("encoder", reason)


def by_brute_force(toy: Toy, module: Any, shape: tuple[int, ...]) -> tuple[int, int]:
    """Products of a layer with and without the taps outside, from its response to unit vectors."""
    padded, ones = [nn.ConvTranspose2d(
        module.in_channels, module.out_channels, module.kernel_size, module.stride, padding
    ).double() for padding in (0, module.padding)]  # fmt: skip
    found = []
    for layer in (padded, ones):
        nn.init.ones_(layer.weight)
        nn.init.zeros_(layer.bias)
        found.append(int(toy.reference(layer, np.ones((1, *shape))).sum()))
    return found[0], found[1]


def compiled(toy: Toy, place: str) -> program.Program:
    graph = toy.graphs[place]
    signal, shape = graph.input.attributes["signal"], graph.input.shape[1:]
    facts = ModelFacts("toy", "toy", "random (seed 1)", 0, "", STEPS, shape, signal)
    return compile_opened(
        OpenedModel(facts, graph), Target.load("loihi2"), Options(mapping="tiles")
    )


def is_saved(toy: Toy, kind: OpKind) -> None:
    """Compiled in the encoder, written, read and checked, and run again with equal results."""
    made = compiled(toy, "in_encoder")
    assert toy.nodes(made.encoder)
    with TemporaryDirectory() as folder:
        program.save(made, Path(folder) / "toy.snnp")
        again = program.load(Path(folder) / "toy.snnp")
    x = np.random.default_rng(1).random((SAMPLES, *made.model.input.shape[1:]), np.float32)
    answers = []
    for version in (made, again):
        injected, _ = encode(version, x)
        answers.append(run_network(version.network, injected, samples=SAMPLES).outputs)
    assert np.array_equal(*answers)
    assert answers[0].any()


def is_right_in_attention(toy: Toy, kind: OpKind) -> None:
    """Its work is counted, it leads to gates alone, and fixed point is the reference, rounded."""
    graph = toy.seen("in_attention")
    (node,) = toy.nodes(graph)
    (region,) = attention_regions(graph)
    (node,) = toy.nodes(region.graph)
    scores = {graph.by_name[name].label for name in score_layers(graph)}
    assert scores == {"toy" if toy.layer else "toy.0"}
    total, every = (work_of(g).macs for g in (region.graph, _hidden(region.graph, toy)))
    cost, rest = (attention_of(g).costs[0].exact_mac1 for g in (graph, _hidden(graph, toy)))
    counted, valid = (0, 0)
    if toy.layer:
        before = region.graph.by_name[node.inputs[0]].step_shape
        counted, valid = by_brute_force(toy, toy.models["in_attention"].toy, before)
    assert (total - every, cost - rest) == (counted, valid * STEPS)
    inside = fixed_point(region.graph)
    x = np.random.default_rng(2).integers(-40, 41, (SAMPLES, 1, 3, 5, 5)) / 2.0**5
    (before,) = node.inputs
    entry = evaluate_fixed(inside.select([before]), x, "toy")[0][:, 0]
    found = evaluate_fixed(inside.select([node.name]), x, "toy")[0][:, 0]
    wanted = toy.reference(toy.models["in_attention"].toy if toy.layer else None, entry)
    grid = np.rint(wanted * 2**VALUE_BITS) / 2**VALUE_BITS
    assert np.array_equal(found, grid.reshape(found.shape))
    if toy.layer:
        refuses_inexact_sums(node, inside, x)


def refuses_inexact_sums(node: Node, graph: Graph, x: np.ndarray) -> None:
    """Weights whose sums of products would pass the 53 bits are refused."""
    heavy = {"weight": np.full_like(node.parameters["weight"], 2.0**23)}
    nodes = [replace(n, parameters=heavy) if n.name == node.name else n for n in graph.nodes]
    try:
        evaluate_fixed(graph.with_nodes(nodes).select([node.name]), x * 16, "toy")
    except ProgramError as error:
        assert "more than the 53-bit sums of the MAC unit hold" in str(error)
        return
    raise AssertionError("sums beyond 53 bits were taken for exact")


def _hidden(graph: Graph, toy: Toy) -> Graph:
    """The toy's nodes as functions that cost nothing."""
    return graph.with_nodes(
        replace(n, op="relu", parameters={}) if n.op == toy.kind.name else n for n in graph.nodes
    )


def is_exact_on_the_chip(toy: Toy, kind: OpKind) -> None:
    """Or refused by name."""
    model = toy.models["on_chip"]
    if toy.block is None:
        check_model(model, Target.load("loihi2"))
        return
    try:
        compiled(toy, "on_chip")
    except UnsupportedError as error:
        assert f"({kind.name}) cannot run on the chip: it {toy.block.reason}" in str(error)
        return
    raise AssertionError(f"{kind.name} was compiled for the chip")


CHECKS = (
    computes_what_the_module_does,
    is_told,
    is_right_in_attention,
    is_traced,
    is_saved,
    is_exact_on_the_chip,
)
