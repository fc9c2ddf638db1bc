"""How active a network is: firing rates measured on data, or given by a user or a paper."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, prod
from typing import Any

import numpy as np

from snndeploy import metrics
from snndeploy.costs.attended import Attention, attention_of
from snndeploy.costs.events import fan_out_plane, sums_of_spikes
from snndeploy.costs.layers import (
    LayerCost,
    NeuronLayer,
    layer_costs,
    recurrent_nodes,
    synaptic_nodes,
)
from snndeploy.errors import DataError, near_names
from snndeploy.graph import Graph, Node
from snndeploy.ops.answer import answers_by_head, head_of
from snndeploy.ops.evaluate import by_step, evaluate

INPUT = "input"  # the key of phi_0 in a table of rates
CHUNK_VALUES = 30_000_000  # values of all nodes together that one chunk of samples may hold


@dataclass(frozen=True)
class Activity:
    """Rates of one sample, means over the samples.

    source: where they come from, in words.  rates: spikes a neuron and step, by neuron.
    input_rate: part of the first layer's input that is not zero (phi_0; 1 for images), None when
    nobody said.  events: measured events of a step, one a layer, or None.  accuracy: of the float
    model, where labels of classes were given.
    """

    source: str
    rates: Mapping[str, float]
    input_rate: float | None
    events: tuple[float | None, ...] | None = None
    samples: int | None = None
    accuracy: float | None = None


def uniform(neurons: Sequence[NeuronLayer], rate: float, input_rate: float | None) -> Activity:
    """One rate for every neuron, as the papers do with NASAR."""
    return Activity(
        f"{rate:g} for every neuron, given", {n.name: rate for n in neurons}, input_rate
    )


def from_table(
    neurons: Sequence[NeuronLayer], table: Any, source: str, input_rate: float | None = None
) -> Activity:
    """Rates by layer of neurons (its module's path, or the node's name), and `input` for phi_0.

    Raises:
        DataError: a layer has no rate, a name is unknown, or a rate is not in 0..1.
    """
    if not isinstance(table, dict):
        raise DataError(f"{source}: rates are an object of names and numbers")
    names = {n.label: n.name for n in neurons} | {n.name: n.name for n in neurons}
    rates: dict[str, float] = {}
    for key, value in table.items():
        if key != INPUT and key not in names:
            raise DataError(
                f"{source}: {key!r} is no layer of neurons{near_names(key, names)} (they are"
                f" {', '.join(n.label for n in neurons)})"
            )
        number = _rate(value, key, source)
        if key == INPUT:
            input_rate = number
        else:
            rates[names[key]] = number
    missing = [n.label for n in neurons if n.name not in rates]
    if missing:
        raise DataError(f"{source}: no rate for {', '.join(missing)}")
    return Activity(f"{source}, given", rates, input_rate)


def _rate(value: Any, key: str, source: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise DataError(f"{source}: the rate of {key!r} is {value!r}, not a number")
    if not isfinite(value) or not 0 <= value <= 1:
        raise DataError(f"{source}: the rate of {key!r} is {value:g}; rates are 0 to 1")
    return float(value)


def measure(
    graph: Graph,
    x: np.ndarray,
    labels: np.ndarray | None = None,
    source: str = "",
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Activity:
    """Run the float graph over x (samples, ...) in chunks, and count spikes and events.

    Events are non-zero values that a layer receives (of sums and averages of spikes: the spikes
    in them) times the outputs that each reaches; layers that read real values take all of them.
    """
    counters = _Counters(graph, attention_of(graph))
    size = _chunk(graph)
    head = head_of(graph, graph.outputs[0])
    known = None if labels is None else metrics.labels_are(labels, head.shape, head.meaning)
    classes = labels if known in ("classes", "sign") else None
    hits = 0.0
    for start in range(0, len(x), size):
        part = x[start : start + size]
        counters.batch = len(part)
        values = evaluate(graph, part, observe=counters.observe)
        counters.samples += len(part)
        if classes is not None:
            answers = answers_by_head(graph, values, len(part))[0]
            guess = metrics.classes(answers, head.shape, head.meaning)
            hits += metrics.same(guess, classes[start : start + size]) * len(part)
        if progress:
            progress(counters.samples, len(x))
    return Activity(
        source=f"measured on {len(x):,} samples of {source or 'the given data'} (float model)",
        rates=counters.rates(),
        input_rate=counters.input_rate(),
        events=counters.events(),
        samples=len(x),
        accuracy=None if classes is None else hits / len(x),
    )


def _chunk(graph: Graph) -> int:
    """Samples that fit: a few of the largest nodes are alive at a time; count all to be safe."""
    each = sum(prod(node.shape) for node in graph.nodes)
    return max(1, CHUNK_VALUES // max(each, 1))


@dataclass(frozen=True)
class _Reach:
    """How a layer's input turns into events.

    window: spikes in one unit of a value; None: every value that is not zero is one event.  dense:
    every value is one, zero or not.
    """

    plane: np.ndarray
    window: float | None
    dense: bool
    first: bool
    whole_window: bool  # all T steps in one

    @classmethod
    def of(cls, graph: Graph, node: Node, layer: LayerCost) -> _Reach:
        source = graph.by_name[node.inputs[0]]
        summed = sums_of_spikes(graph, source)
        real = source.signal is not None and source.signal.kind == "real"
        return cls(
            plane=fan_out_plane(node, source),
            window=summed.window if summed else None,
            dense=real and summed is None and layer.role != "gated",
            first=layer.first,
            whole_window=summed is not None and not source.has_time,
        )

    def events(self, values: np.ndarray, timesteps: int) -> float:
        """Events of one step, summed over the samples; values (samples, steps, ...)."""
        spikes = (values != 0).astype(np.float64)
        if self.window is not None:
            spikes = values.astype(np.float64) * self.window
        steps = timesteps if self.whole_window else values.shape[1]
        if self.plane.ndim == 0:
            return float(spikes.sum()) * float(self.plane) / steps
        return float((spikes.sum(axis=(0, 1, 2)) * self.plane).sum()) / steps


class _Counters:
    """Sums over the samples seen so far."""

    def __init__(self, graph: Graph, attention: Attention) -> None:
        self.graph = graph
        self.samples, self.batch = 0, 0
        nodes = synaptic_nodes(graph, attention)
        costs = layer_costs(graph, attention)
        self.layers = {
            node.name: _Reach.of(graph, node, layer)
            for node, layer in zip(nodes, costs[: len(nodes)], strict=True)
        }
        back = zip(recurrent_nodes(graph), costs[len(nodes) :], strict=True)
        self.back = [(neuron, _Reach.of(inner, node, cost)) for (neuron, inner, node), cost in back]
        self.seen_back = [0.0] * len(self.back)
        self.seen = dict.fromkeys(self.layers, 0.0)
        self.spikes = {node.name: 0 for node in graph.neurons()}
        self.nonzero, self.sites = 0, 0  # of the first layers' inputs

    def observe(self, node: Node, inputs: Sequence[Any], value: Any) -> Any:
        if node.name in self.spikes:
            self.spikes[node.name] += int(value.count_nonzero())
            for index, (neuron, reach) in enumerate(self.back):
                if neuron.name == node.name:  # what is sent in the last step is not read
                    read = by_step(node, value, self.batch)[:, :-1]
                    self.seen_back[index] += reach.events(read, self.graph.timesteps)
        elif node.name in self.layers and not self.layers[node.name].dense:
            self._count(node, inputs[0])
        return value

    def _count(self, node: Node, tensor: Any) -> None:
        reach = self.layers[node.name]
        source = self.graph.by_name[node.inputs[0]]
        values = by_step(source, tensor, self.batch)
        self.seen[node.name] += reach.events(values, self.graph.timesteps)
        if reach.first:
            self.nonzero += int(np.count_nonzero(values))
            self.sites += values.size

    def rates(self) -> dict[str, float]:
        """Spikes a neuron and step."""
        return {
            name: count / (self.samples * prod(self.graph.by_name[name].shape))
            for name, count in self.spikes.items()
        }

    def input_rate(self) -> float:
        """1 where the first layer reads real values, as the papers have it."""
        return self.nonzero / self.sites if self.sites else 1.0

    def events(self) -> tuple[float | None, ...]:
        """Events of one step of every layer; None where it takes every value."""
        return tuple(
            None if reach.dense else self.seen[name] / self.samples
            for name, reach in self.layers.items()
        ) + tuple(seen / self.samples for seen in self.seen_back)
