"""A mapped network in SANA-FE's netlist format: groups, edges, and the neurons of each core.

SANA-FE's soma and dendrite units hold 1,024 neurons each, so a core has as many of them as it
needs, and a population is one group for each number of the unit that its neurons stand on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from snndeploy.backends.sanafe.backend import ALLOWED
from snndeploy.backends.sanafe.chip import (
    FREE_SYNAPSES,
    PORT,
    SYNAPSES,
    UNIT_NEURONS,
    dendrite_unit,
    host_slot,
    soma_unit,
    tile_number,
)
from snndeploy.connections import Conv, Dense, Shape
from snndeploy.connections.encoding import encoding_of
from snndeploy.layout.layout import Layout
from snndeploy.network import MEMBRANE_SHIFT, Network, Projection
from snndeploy.neurons import Integrator, Lif, Reset
from snndeploy.target import Target
from snndeploy.timing.cycle_walk import Source, Walk

# A replayed neuron: above THRESHOLD it fires and THRESHOLD is subtracted; what is then below FLOOR
# is cleared; a membrane that is not zero is an update in the next step, which forgets it.
THRESHOLD, FLOOR = 100, 10
CODES = np.array([[0, 50], [101, 121]])  # added to it, by (fires, is updated in the next step)
REPLAYED = (
    f"threshold={THRESHOLD} reset_mode=soft reverse_threshold={FLOOR} reverse_reset_mode=hard"
    " reverse_reset=0 leak_decay=0 input_decay=0"
)
NEVER = 1e12  # threshold of an integrator


@dataclass(frozen=True, eq=False)
class Netlist:
    """What is written; `replayed`: every neuron follows a recording, and weights are zero."""

    network: Network
    layout: Layout
    target: Target
    walk: Walk
    replayed: bool

    @cached_property
    def unit(self) -> np.ndarray:
        """Unit of its core that each neuron (in the walk's numbering) stands on."""
        unit = np.zeros(len(self.walk.row), dtype=np.int64)
        for sender in range(self.layout.cores + 1):
            visited = self.visited(sender)
            unit[visited] = np.arange(len(visited)) // UNIT_NEURONS
        return unit

    @cached_property
    def has_ports(self) -> bool:
        """Whether cores need a neuron that receives host values."""
        return any(not isinstance(source.key, str) for source in self.walk.sources)

    def visited(self, sender: int) -> np.ndarray:
        """Neurons of a core, or of the host, in walking order."""
        return self.walk.order[self.walk.first[sender] : self.walk.first[sender + 1]]

    @cached_property
    def groups(self) -> list[tuple[Source, int, int]]:
        """(source, unit, neurons) of every group."""
        found = []
        for source in self.walk.sources:
            units, counts = np.unique(self._part(self.unit, source), return_counts=True)
            rows = zip(units.tolist(), counts.tolist(), strict=True)
            found += [(source, unit, count) for unit, count in rows]
        return found

    @cached_property
    def names(self) -> list[str]:
        """'group.number' of every neuron, in the walk's numbering."""
        group = np.zeros(len(self.walk.row), dtype=np.int64)
        number = np.zeros_like(group)
        for index, (source, unit, count) in enumerate(self.groups):
            mine = self._part(self.unit, source) == unit
            self._part(group, source)[mine] = index
            self._part(number, source)[mine] = np.arange(count)
        return [f"{g}.{n}" for g, n in zip(group.tolist(), number.tolist(), strict=True)]

    def _part(self, values: np.ndarray, source: Source) -> np.ndarray:
        return values[source.first : source.first + source.neurons]

    def lines(self) -> Iterator[str]:
        """The whole file."""
        for source, unit, count in self.groups:
            replayed = self.replayed or source.from_host
            behaviour = REPLAYED if replayed else self._neuron_model(str(source.key))
            units = f"dendrite_hw_name={dendrite_unit(unit)} soma_hw_name={soma_unit(unit)}"
            yield f"g {count} synapse_hw_name={self._synapses(source)} {units} {behaviour}"
        if self.has_ports:
            units = f"dendrite_hw_name={PORT}_dendrite soma_hw_name={PORT}"
            yield f"g {self.layout.cores} synapse_hw_name={FREE_SYNAPSES} {units}"
        if not self.replayed:
            yield from self._biases()
        for projection in self.network.projections:
            yield from self._edges(projection)
        yield from self._port_edges()
        yield from self._mapping()

    def _synapses(self, source: Source) -> str:
        """The unit that the synapses into a population stand on."""
        incoming = self.network.incoming(source.key) if isinstance(source.key, str) else ()
        ways = {encoding_of(p.connection, self.target) for p in incoming}
        return SYNAPSES[ways.pop() if ways else "dense"]

    def _neuron_model(self, name: str) -> str:
        """Attributes in units of the synaptic sum, which are the membrane's over 64."""
        neuron = self.network.by_name[name].neuron
        assert isinstance(neuron, Lif | Integrator)
        threshold = neuron.threshold if isinstance(neuron, Lif) else NEVER
        reset = neuron.reset if isinstance(neuron, Lif) else Reset.HARD
        keep = (4096 - neuron.membrane_decay) / 4096
        return f"threshold={threshold} reset_mode={reset} reset=0 leak_decay={keep!r} input_decay=0"

    def _biases(self) -> Iterator[str]:
        for source in self.walk.sources:
            population = self.network.by_name.get(str(source.key))
            if population is None or population.bias is None or source.from_host:
                continue
            values = population.own_bias / (1 << MEMBRANE_SHIFT)
            names = self._part_names(source)
            for neuron, value in enumerate(np.moveaxis(values, 0, -1).ravel().tolist()):
                if value:
                    yield f"n {names[neuron]} bias={value!r}"

    def _part_names(self, source: Source) -> list[str]:
        return self.names[source.first : source.first + source.neurons]

    def _edges(self, projection: Projection) -> Iterator[str]:
        by_key = {source.key: source for source in self.walk.sources}
        source, target = by_key[projection.source], by_key[projection.target]
        before, after = self._part_names(source), self._part_names(target)
        for pre, post, weight in synapses_of(self.network, projection):
            if self.target.zero_weights == "skipped":
                pre, post, weight = (part[weight != 0] for part in (pre, post, weight))
            if self.replayed:
                weight = np.zeros_like(weight)
            for one, other, value in zip(pre.tolist(), post.tolist(), weight.tolist(), strict=True):
                yield f"e {before[one]}->{after[other]} w={value}"

    def _port_edges(self) -> Iterator[str]:
        """One free synapse from every host value to the port of its neuron's core."""
        ports = len(self.groups)
        for source in self.walk.sources:
            if isinstance(source.key, str):
                continue
            rows = self._part(self.walk.row, source).tolist()
            for name, row in zip(self._part_names(source), rows, strict=True):
                for entry in range(self.walk.row_start[row], self.walk.row_start[row + 1]):
                    yield f"e {name}->{ports}.{self.walk.core[entry]} w=0"

    def _mapping(self) -> Iterator[str]:
        """Neurons in the order in which their cores visit them."""
        for sender in range(self.layout.cores + 1):
            at = f"0.{host_slot(self.layout, self.target)}"
            if sender < self.layout.cores:
                tile = tile_number(self.layout, sender)
                at = f"{tile}.{self.layout.positions[sender, 2]}"
            for neuron in self.visited(sender).tolist():
                yield f"& {self.names[neuron]}@{at}"
            if self.has_ports and sender < self.layout.cores:
                yield f"& {len(self.groups)}.{sender}@{at}"


Synapses = Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]


def synapses_of(network: Network, projection: Projection) -> Synapses:
    """Every synapse, in parts: source and target neuron (in H, W, C order) and weight."""
    source, target = (network.by_name[name] for name in (projection.source, projection.target))
    scaled = projection.connection.weight * 2.0**projection.exponent
    before, after = _numbered(source.shape), _numbered(target.shape)
    match projection.connection:
        case Conv() as conv:
            return _of_conv(conv, scaled, before, after)
        case Dense() as dense:
            return _of_dense(dense, scaled, before)
    raise ALLOWED.refused_connection(projection)


def _numbered(shape: Shape) -> np.ndarray:
    """The number of each neuron in H, W, C order, (C, H, W)."""
    channels, height, width = shape
    return np.moveaxis(np.arange(channels * height * width).reshape(height, width, channels), -1, 0)


def _of_dense(dense: Dense, scaled: np.ndarray, before: np.ndarray) -> Synapses:
    spread = scaled.repeat(dense.pool[0], axis=2).repeat(dense.pool[1], axis=3)
    pre = before[None, :, : spread.shape[2], : spread.shape[3]]
    post = np.arange(len(scaled))[:, None, None, None]
    yield _spread(spread.shape, pre, post, spread)


def _of_conv(conv: Conv, scaled: np.ndarray, before: np.ndarray, after: np.ndarray) -> Synapses:
    _, height, width = before.shape
    group_out, group_in = len(scaled) // conv.groups, scaled.shape[1]
    for tap in np.ndindex(scaled.shape[2:]):
        rows, columns = (
            np.arange(after.shape[1 + axis]) * conv.stride[axis]
            - conv.padding[axis] + tap[axis] * conv.dilation[axis]
            for axis in (0, 1)
        )  # fmt: skip
        inside = np.ix_((rows >= 0) & (rows < height), (columns >= 0) & (columns < width))
        window = np.ix_(rows[inside[0].ravel()], columns[inside[1].ravel()])
        for group in range(conv.groups):
            out = slice(group * group_out, (group + 1) * group_out)
            into = slice(group * group_in, (group + 1) * group_in)
            pre = before[into][:, *window]
            post = after[out][:, *inside]
            weight = scaled[out, :, tap[0], tap[1]][:, :, None, None]
            yield _spread((group_out, *pre.shape), pre[None], post[:, None], weight)


def _spread(
    shape: tuple[int, ...], *parts: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    pre, post, weight = (np.broadcast_to(part, shape).ravel() for part in parts)
    return pre, post, weight
