"""Runs a batch and hands over every layer's spikes and membranes, step by step."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from snndeploy.analysis.layers import SpikingLayer
from snndeploy.engines.boundary import Injected
from snndeploy.engines.engine import run_network
from snndeploy.engines.replay import Replay, listening
from snndeploy.graph import Graph, Node
from snndeploy.network import MEMBRANE_SHIFT, Network, Population
from snndeploy.ops import neuron
from snndeploy.ops.evaluate import by_step, evaluate
from snndeploy.program import Program
from snndeploy.simulator.run import injections_of


class Sink(Protocol):
    """Takes one layer at one step of a batch.

    fired: bool (samples, channels, height, width); distance: U - V_th, float64 of that shape, or
    None where nobody asked for the membranes.
    """

    def __call__(
        self, layer: SpikingLayer, step: int, fired: np.ndarray, distance: np.ndarray | None
    ) -> None: ...


def run_model(
    graph: Graph,
    x: np.ndarray,
    layers: Sequence[SpikingLayer],
    membranes: Collection[str],
    sink: Sink,
    record: Sequence[str] = (),
) -> Mapping[str, Any]:
    """The float model on a batch; membranes: keys of the layers whose U is wanted.

    Returns the tensors of the recorded nodes (default: the outputs).
    """
    by_key = {layer.key: layer for layer in layers}

    def observe(node: Node, inputs: Sequence[Any], value: Any) -> Any:
        if node.is_neuron and node.name in by_key:
            layer = by_key[node.name]
            if layer.key in membranes:
                _hand_over_membranes(node, inputs[0], layer, len(x), sink)
            else:
                _hand_over_spikes(node, value, layer, sink, len(x))
        return value

    return evaluate(graph, x, record, observe=observe)


def _hand_over_membranes(
    node: Node, current: Any, layer: SpikingLayer, samples: int, sink: Sink
) -> None:
    """The neuron once more, this time with its membranes."""
    axis = neuron.time_axis(node)
    for step, (membrane, fired) in enumerate(neuron.run(node, current)):
        u, s = (
            by_step(node, value.unsqueeze(axis), samples).reshape(samples, *layer.shape)
            for value in (membrane, fired)
        )
        # in the membrane's own type, as the neuron compares, so that U >= V_th stays a sign
        distance = (u - u.dtype.type(layer.threshold)).astype(np.float64)
        sink(layer, step, s, distance)


def _hand_over_spikes(
    node: Node, value: Any, layer: SpikingLayer, sink: Sink, samples: int
) -> None:
    spikes = by_step(node, value, samples)
    for step in range(spikes.shape[1]):
        sink(layer, step, spikes[:, step].reshape(samples, *layer.shape) != 0, None)


class ChipRun:
    """The program on batches: host neurons in floats, the chip's in its integers.

    Every population whose membranes are wanted gets a twin that listens (`engines.replay`), and
    its own step on what the twin hears gives U.
    """

    def __init__(
        self, program: Program, layers: Sequence[SpikingLayer], membranes: Collection[str]
    ) -> None:
        self.program = program
        self.host = [layer for layer in layers if layer.place == "host"]
        self.chip = [layer for layer in layers if layer.place == "chip"]
        self.membranes = set(membranes)
        wanted = [layer.key for layer in self.chip if layer.key in self.membranes]
        self.network, self.twins = with_twins(program.network, wanted)
        own = [i for i, n in enumerate(program.network.injections) if n.target in self.twins]
        self.repeated = list(enumerate(own, start=len(program.network.injections)))
        self.clipped = 0
        self.overflows: dict[str, np.ndarray] = {}

    def batch(self, x: np.ndarray, sink: Sink) -> None:
        program, samples = self.program, len(x)
        outputs = program.encoder_outputs
        values: Mapping[str, Any] = {}
        if outputs:
            values = run_model(program.encoder, x, self.host, self.membranes, sink, outputs)
        injected, clipped = injections_of(program.network, program.model, values, samples)
        self.clipped += clipped
        self.inject(injected, samples, sink)

    def inject(self, injected: Injected, samples: int, sink: Sink) -> None:
        """The chip alone, on what the host sends (by index into the program's injections)."""
        injected = dict(injected) | {twin: injected[own] for twin, own in self.repeated}
        activity = run_network(
            self.network, injected, record=[layer.key for layer in self.chip],
            record_membranes=list(self.twins.values()),
            samples=samples, batch=samples,
        )  # fmt: skip
        for name, counts in activity.overflows.items():
            if name in self.program.network.by_name:
                self.overflows[name] = self.overflows.get(name, 0) + counts
        for layer in self.chip:
            self._hand_over(layer, activity.spikes[layer.key], activity.membranes, sink)

    def _hand_over(
        self,
        layer: SpikingLayer,
        spikes: np.ndarray,
        membranes: Mapping[str, np.ndarray],
        sink: Sink,
    ) -> None:
        population = self.program.network.by_name[layer.key]
        unit = population.scale / (1 << MEMBRANE_SHIFT)
        threshold = population.neuron.fires_above
        replay = Replay(population, len(spikes))
        for step in range(spikes.shape[1]):
            distance = None
            if layer.key in self.twins:
                added = membranes[self.twins[layer.key]][:, step].astype(np.int64)
                distance = (replay.step(added).before - threshold) * unit
            sink(layer, step, spikes[:, step] != 0, distance)


def with_twins(network: Network, names: Sequence[str]) -> tuple[Network, dict[str, str]]:
    """The network with a twin of every named population, and the twins' names.

    A twin listens: it gets the same synapses and the same injections,
    which stand in the same order behind all others.
    """
    twins: dict[str, str] = {}
    for name in names:
        twin = f"{name} input"
        while twin in network.by_name:
            twin += "'"
        twins[name] = twin
    populations: list[Population] = []
    for population in network.populations:
        populations.append(population)
        if population.name in twins:
            twin = twins[population.name]
            populations.append(listening(population, twin))
    projections = [
        replace(p, name=f"{p.name} (input)", target=twins[p.target])
        for p in network.projections
        if p.target in twins
    ]
    injections = [
        replace(i, target=twins[i.target]) for i in network.injections if i.target in twins
    ]
    widened = replace(
        network,
        populations=tuple(populations),
        projections=(*network.projections, *projections),
        injections=(*network.injections, *injections),
    )
    return widened, twins
