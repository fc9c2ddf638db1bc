"""A `.net` chain under construction: populations, projections, input and readout.

Time.  SLAYER delays every layer's output by one step (`delay_shift`) and Lava's synapses do the
same, so a layer's depth is the number of synapses before it and a chain is aligned by itself.

Delays.  The field `delay` of a layer is the axonal delay of its *own* neurons, as SLAYER trains
it (`x = self.delay(neuron(...))`): it becomes `axonal_delay` of the projection that leaves them.
NetX delays the inputs of these neurons instead, which moves the layer's own spikes but puts the
same spikes on every wire behind them (equal on the recorded ntidigits output).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from snndeploy.connections import Connection, Conv, Shape
from snndeploy.frontend.netx.layers import BIAS_EXPONENT, Layer, Neuron
from snndeploy.network import MEMBRANE_SHIFT, Injection, Network, Population, Projection, Readout
from snndeploy.neurons import Input, Integrator, Relay

UNIT = 1 / 64  # SLAYER's real value of one weight unit (slayer/neuron/base.py, scale 1 << 6)
NETX_INPUT_WEIGHT = 64  # netx/hdf5.py create_input: an input layer without `weight`


@dataclass(frozen=True)
class InputNeuron:
    """The spiking input layer of a file that has none: real values x arrive as a bias.

    Each step adds 64 * (rint(weight * x) + bias) to v; a spike needs v > 64 * threshold.
    """

    threshold: int
    membrane_decay: int = 0
    weight: float = NETX_INPUT_WEIGHT
    bias: int = 0


@dataclass
class Builder:
    """The network so far; `last` is the population that feeds the next layer."""

    timesteps: int
    apply_input_transform: bool = True
    input_payload_bound: int = 1
    populations: list[Population] = field(default_factory=list)
    projections: list[Projection] = field(default_factory=list)
    injections: list[Injection] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    readout: Readout | None = None
    flattened: bool = False
    pending_delay: np.ndarray | None = None  # of the last population's axons, flat

    @property
    def last(self) -> Population:
        return self.populations[-1]

    @property
    def last_is_plane(self) -> bool:
        return self.last.shape[1:] != (1, 1)

    def start(self, name: str, shape: Shape, neuron: InputNeuron | None) -> None:
        """The input: spikes from the host, or the given neurons."""
        if neuron is not None:
            registers = Neuron(neuron.threshold, neuron.membrane_decay)
            self.start_spiking(name, shape, registers, neuron.weight, neuron.bias)
            return
        bound = self.input_payload_bound
        self.populations.append(Population(name, shape, Input(bound), origin=name))
        self.injections.append(Injection(name, "input", "spikes"))

    def start_spiking(
        self, name: str, shape: Shape, neuron: Neuron, weight: float, bias: int
    ) -> None:
        self.populations.append(
            Population(
                name,
                shape,
                neuron.registers,
                bias=np.full(shape[0], bias, dtype=np.int32) if bias else None,
                bias_exponent=BIAS_EXPONENT,
                scale=UNIT,
                origin=name,
            )
        )
        self.injections.append(
            Injection(name, "input", "bias", multiplier=weight, exponent=BIAS_EXPONENT)
        )

    def connect(
        self,
        layer: Layer,
        connection: Connection,
        shape: Shape,
        neuron: Neuron,
        entering_delay: np.ndarray | None = None,
    ) -> None:
        """Adds the population and the projection into it, with the delays its sources carry."""
        source = self.last
        self.populations.append(
            Population(
                layer.name,
                shape,
                neuron.registers,
                bias=layer.bias(shape),
                bias_exponent=BIAS_EXPONENT,
                depth=source.depth + 1,
                scale=UNIT,
                origin=f"layer/{layer.index}",
            )
        )
        self._project(source, connection, entering_delay)
        self.flattened = False

    def connect_back(self, connection: Connection) -> None:
        """Recurrence: the last population onto itself, one step later (SLAYER: no other delay)."""
        name = self.last.name
        self.projections.append(Projection(f"{name}->{name}", name, name, connection))

    def delay_axons(self, layer: Layer, delays: np.ndarray | None) -> None:
        """Keeps a layer's own delays for the projection that will leave it."""
        if delays is None or isinstance(self.last.neuron, Integrator):
            return
        channels, neurons = self.last.shape[0], self.last.neurons
        if delays.ndim > 1 or delays.size not in (1, channels, neurons):
            raise layer.refuse(
                f"field 'delay' has shape {delays.shape} for {channels} channels, {neurons} neurons"
            )
        self.pending_delay = np.repeat(delays, neurons // delays.size)

    def average(self, population: str, group: int) -> None:
        """Read an integrator of `group` spike trains as their mean rate."""
        scale = 1 / (group * self.timesteps << MEMBRANE_SHIFT)
        self.readout = Readout(population, "membrane", scale=scale)

    def finish(self) -> Network:
        if self.pending_delay is not None:
            self._delay_outputs()
        return Network(
            self.timesteps,
            tuple(self.populations),
            tuple(self.projections),
            tuple(self.injections),
            self.readout or self._default_readout(),
            tuple(self.notes),
        )

    def _project(
        self, source: Population, connection: Connection, entering_delay: np.ndarray | None
    ) -> None:
        own, self.pending_delay = self.pending_delay, None
        delay = own if entering_delay is None else entering_delay
        if own is not None and entering_delay is not None:
            delay = own + entering_delay
        self.projections.append(
            Projection(
                f"{source.name}->{self.last.name}",
                source.name,
                self.last.name,
                connection,
                axonal_delay=delay,
            )
        )

    def _delay_outputs(self) -> None:
        """The last layer's own delays: a relay behind it, one to one."""
        source = self.last
        name = f"{source.name}.delayed"
        self.populations.append(
            Population(name, source.shape, Relay(), depth=source.depth + 1, origin=source.origin)
        )
        ones = np.ones((source.shape[0], 1, 1, 1), dtype=np.int8)
        self._project(source, Conv(ones, groups=source.shape[0]), None)

    def _default_readout(self) -> Readout:
        """Membranes of an integrator in SLAYER's units, else the rate of every neuron."""
        if isinstance(self.last.neuron, Integrator):
            return Readout(self.last.name, "membrane", scale=UNIT / (1 << MEMBRANE_SHIFT))
        return Readout(self.last.name, "count", scale=1 / self.timesteps)
