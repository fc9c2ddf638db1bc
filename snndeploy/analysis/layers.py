"""Which neurons are looked at: one layer a firing function, with its threshold in real units."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import Literal

from snndeploy.errors import DataError, near_names
from snndeploy.graph import Graph
from snndeploy.network import MEMBRANE_SHIFT, Network, Population
from snndeploy.neurons import equation_of
from snndeploy.passes.streams import convolution_neurons
from snndeploy.program import Program

Shape = tuple[int, int, int]
Kind = Literal["conv", "fc"]
Place = Literal["model", "host", "chip"]


@dataclass(frozen=True)
class SpikingLayer:
    """One element a neuron: the tensor that enters the firing function (papers.md section 1).

    name: what the user calls it.  key: graph node, or population on the chip.  kind: 'conv' behind
    a convolution (`streams.convolution_neurons`), else 'fc'.  shape: (channels, height, width);
    without a plane a neuron is a channel.  threshold: V_th in the membrane's real units.  fires_at:
    'ge' or 'gt'.
    place: the float model, or the program's host or chip.
    """

    name: str
    key: str
    kind: Kind
    shape: Shape
    threshold: float
    fires_at: str
    place: Place

    @property
    def neurons(self) -> int:
        return prod(self.shape)


def layers_of_model(graph: Graph, place: Place = "model") -> tuple[SpikingLayer, ...]:
    """The neurons that the graph's outputs depend on, in execution order."""
    needed = graph.ancestors(graph.outputs)
    nodes = [node for node in graph.neurons() if node.name in needed]
    shared = Counter(node.label for node in nodes)
    convolved = convolution_neurons(graph)
    return tuple(
        SpikingLayer(
            name=n.label if shared[n.label] == 1 else f"{n.label} ({n.name})",
            key=n.name,
            kind="conv" if n.name in convolved else "fc",
            shape=channel_shape(n.step_shape),
            threshold=equation_of(n.attributes).threshold,
            fires_at=equation_of(n.attributes).fires_at,
            place=place,
        )
        for n in nodes
    )


def layers_of_chip(program: Program) -> tuple[SpikingLayer, ...]:
    """The encoder's neurons on the host, then the populations that spike on the chip."""
    host = layers_of_model(program.encoder, "host") if program.encoder_outputs else ()
    network, nodes = program.network, program.model.by_name
    convolved = convolution_neurons(program.model)
    chip = [
        SpikingLayer(
            name=p.name,
            key=p.name,
            kind=_origin_kind(p, convolved) if p.origin in nodes else _wired_kind(network, p),
            shape=p.shape,
            threshold=(p.neuron.fires_above or 0) / (1 << MEMBRANE_SHIFT) * p.scale,
            fires_at="gt",
            place="chip",
        )
        for p in network.populations
        if program.fires_as_neurons(p)
    ]
    return (*host, *chip)


def chosen(layers: Iterable[SpikingLayer], names: Iterable[str]) -> tuple[SpikingLayer, ...]:
    """The layers with these names, in execution order.

    Raises:
        DataError: there is no such layer.
    """
    by_name = {layer.name: layer for layer in layers}
    wanted = set(names)
    for name in sorted(wanted):
        if name not in by_name:
            near = near_names(name, by_name)
            raise DataError(f"no spiking layer {name!r}{near or f'; there are {_few(by_name)}'}")
    return tuple(layer for name, layer in by_name.items() if name in wanted)


def channel_shape(step_shape: tuple[int, ...]) -> Shape:
    """(channels, height, width) of one sample at one step; features are channels of one pixel."""
    channels, *rest = step_shape or (1,)
    if len(rest) == 2:
        return channels, rest[0], rest[1]
    return channels, 1, prod(rest)


def _origin_kind(population: Population, convolved: frozenset[str]) -> Kind:
    return "conv" if population.origin in convolved else "fc"


def _wired_kind(network: Network, population: Population) -> Kind:
    """Of a network that was imported as integers, whose wires are all that is known."""
    wires = [p.connection for p in network.incoming(population.name)]
    return "fc" if wires and not any(wire.has_plane for wire in wires) else "conv"


def _few(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:8]) + (f" and {len(listed) - 8} more" if len(listed) > 8 else "")
