"""Network: populations and projections in integers, which is all that a chip sees.

Arithmetic of one chip step of a population, all integers (Lava's fixed-point LIF, which
equals Intel's recorded Loihi traces; `rz(x, k)` is sign(x) * (|x| >> k)):

    a = sum over projections of  (sum of weight * payload) << exponent      + injected values
    u = wrap24( rz(u * (4096 - current_decay), 12)  + (a << 6) )
    v = sat24 ( rz(v * (4096 - membrane_decay), 12) + u + (bias << bias_exponent) )
    s = v > (threshold << 6)                    strict: "fires at >=" is threshold = M - 1
    v = 0 where s   (hard)   or   v - (reset_amount << 6) where s   (soft)

`wrap24` keeps (-2^23, 2^23]; `sat24` clips to +-(2^23 - 1).  `current_decay` 4096 (the default)
means that the current lives for one step, so that u = a << 6.

Attention (`Attention`) refines the current or the membrane of a population, on a MAC unit or the
host; `f(x)` is its graph in the fixed-point numbers of `ops.fixed_point`, x in units of v:

    w = f(u + (bias << bias_exponent))      at "current":   v = sat24( rz(v * ..., 12) + w )
    v = sat24( f(v) )                       at "membrane":  before the test s
    payload = f(a << 6 + ...) >> (6 + payload_shift)        of a relay, clipped to its bound

Time.  A population's step tau (0-based, 0..T-1) is *aligned*: it is the model's time step.  On the
chip every synapse takes one step, so a population at `depth` d computes its step tau in chip step
tau + d + 1 (chip steps count from 1) and must be reset right before chip step d + 1.  A projection
whose path is shorter than the others into its target is delayed:
`delay = target.arrival - source.depth - 1`.  `arrival` is `depth`, except behind attention that
needs all T steps at once: there what arrives is held for T steps before it is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np

from snndeploy.connections import Connection, Shape
from snndeploy.graph import Graph
from snndeploy.neurons import MEMBRANE_MAXIMUM as MEMBRANE_MAXIMUM
from snndeploy.neurons import MEMBRANE_SHIFT as MEMBRANE_SHIFT
from snndeploy.neurons import NO_CURRENT_MEMORY as NO_CURRENT_MEMORY
from snndeploy.neurons import Neuron, Place, shift

ReadingKind = Literal["membrane", "spikes", "count"]


@dataclass(frozen=True, eq=False)
class Attention:
    """What refines a population's current (Conv-POST) or membrane (Activate-PRE) by gates.

    graph: (1, timesteps, C, H, W) to the same; one step, or all T if full_window.
    unit: 'chip' a MAC unit, 'host' the host between two steps (a round trip at every step).
    """

    graph: Graph
    at: Place
    full_window: bool = False
    unit: Literal["chip", "host"] = "chip"


@dataclass(frozen=True, eq=False)
class Population:
    """One population of identical neurons, shape (channels, height, width).

    neuron: the kind with its registers (`snndeploy.neurons`).
    """

    name: str
    shape: Shape
    neuron: Neuron
    bias: np.ndarray | None = None  # int32 mantissas, shape (channels,) or the population's
    bias_exponent: int = 0
    accumulator_bits: int = 16  # declared width of a; a wider sum counts as an overflow
    depth: int = 0
    scale: float = 1.0  # real membrane value of one unit of `a` (v: scale / 64)
    origin: str = ""  # the node of the user's model it stands for
    attention: tuple[Attention, ...] = ()  # at most one at the current, one at the membrane

    @property
    def neurons(self) -> int:
        channels, height, width = self.shape
        return channels * height * width

    @property
    def arrival(self) -> int:
        """Depth at which its inputs must arrive: T steps before its own behind a full window."""
        return self.depth - sum(a.graph.timesteps for a in self.attention if a.full_window)

    def attention_at(self, place: Place) -> Attention | None:
        return next((a for a in self.attention if a.at == place), None)

    @property
    def input_maximum(self) -> int:
        """Largest |a| of the declared width."""
        return (1 << (self.accumulator_bits - 1)) - 1

    @property
    def own_bias(self) -> np.ndarray:
        """Its bias in units of v, int64 of its shape."""
        if self.bias is None:
            return np.zeros(self.shape, dtype=np.int64)
        mantissa = np.asarray(self.bias, dtype=np.int64)
        mantissa = mantissa[:, None, None] if mantissa.ndim == 1 else mantissa
        return np.broadcast_to(shift(mantissa, self.bias_exponent), self.shape)


@dataclass(frozen=True, eq=False)
class Projection:
    """Synapses from `source` to `target`; they add (connection . payload) << exponent to a.

    `delay` counts extra steps beyond the one that every synapse takes; `axonal_delay`, when given,
    adds a delay of its own to each source neuron (int, flat source order; imported networks).
    Every tap inside the source's bounds is a synapse, zero weights included: dense formats store
    them.
    """

    name: str
    source: str
    target: str
    connection: Connection
    exponent: int = 0
    delay: int = 0
    axonal_delay: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Injection:
    """What the host sends into a population, computed by the encoder.

    mode:
      bias    constant over T: per-neuron value `mantissa << exponent`, added to v at every step,
              loaded once a sample.  mantissa = clip(rint(real * multiplier), minimum, maximum).
      graded  one message per neuron and step where not zero: value << exponent is added to a.
      spikes  payloads of an `input` population (binary events or integer counts).
    """

    target: str
    encoder_output: str
    mode: Literal["bias", "graded", "spikes"]
    multiplier: float = 1.0
    exponent: int = 0
    minimum: int = -(1 << 15)
    maximum: int = (1 << 15) - 1
    offset: np.ndarray | None = None  # real, added before rounding, shape of the population

    def rounded(self, real: np.ndarray) -> np.ndarray:
        """Integers (float64) of real encoder values (..., channels, height, width), not clipped."""
        values = np.asarray(real, dtype=np.float64)
        if self.offset is not None:
            values = values + self.offset
        return np.rint(values * self.multiplier)

    def quantize(self, real: np.ndarray) -> np.ndarray:
        """Integers (int32) of real encoder values, clipped to the register."""
        return np.clip(self.rounded(real), self.minimum, self.maximum).astype(np.int32)


@dataclass(frozen=True, eq=False)
class Readout:
    """One head: which integers the host reads, and what it makes of them.

        value[r] = scale * sum over i of weights[r, i] * reading[i] + offset[r]
        answer   = finish(value)

    kind: what a reading is, of every neuron of the population: its 'membrane' v after a step, its
    'spikes' of a step, or the 'count' of its spikes in all T, which is one reading.
    steps: those that are read, rising; (): the last alone.  weights: (rows, readings), one row, or
    one a time step; None: the only reading itself.  offset: (classes,) or (rows, classes).
    finish: the rest of the model from value to answer, which the host computes; None: nothing.
    """

    population: str
    kind: ReadingKind
    scale: float = 1.0
    offset: np.ndarray | None = None
    steps: tuple[int, ...] = ()
    weights: np.ndarray | None = None
    finish: Graph | None = None

    @property
    def readings(self) -> int:
        return max(1, len(self.steps))

    def steps_of(self, timesteps: int) -> tuple[int, ...]:
        """The steps that are read of a sample."""
        return self.steps or (timesteps - 1,)

    def values(self, readings: np.ndarray) -> np.ndarray:
        """Real values (samples, rows, classes) of integers (samples, readings, classes)."""
        found = readings * self.scale
        if self.weights is not None:
            found = np.einsum("ri,sic->src", self.weights, found)
        return found if self.offset is None else found + self.offset


SILENT, STEADY, UNREAD = -1, -2, -3
"""Places of channels that are gone: they never fire, fire at every step, are read by nobody."""


@dataclass(frozen=True, eq=False)
class Reduced:
    """Where `--reduce` left the channels of one of the model's populations.

    population, origin, shape: as before the reduction.
    carrier: the population here that has its spikes ('': none of them is left).
    place: int32 (channels,), the channel of `carrier` with exactly these spikes, or what is known
    of a channel that has none: SILENT, STEADY, UNREAD.
    """

    population: str
    origin: str
    shape: Shape
    carrier: str
    place: np.ndarray

    @cached_property
    def kept(self) -> np.ndarray:
        """For every channel of the carrier, the first channel here that it stands for."""
        here = np.flatnonzero(self.place >= 0)
        first: np.ndarray = here[np.unique(self.place[here], return_index=True)[1]]
        return first

    def spikes(self, carried: np.ndarray, steps: int) -> int | None:
        """Spikes of all its channels, from those of the carrier's (channels,); None: unknown.

        steps: samples times timesteps.
        """
        if (self.place == UNREAD).any():
            return None
        always = int((self.place == STEADY).sum()) * self.shape[1] * self.shape[2] * steps
        return always + int(carried[self.place[self.place >= 0]].sum())


@dataclass(frozen=True, eq=False)
class Network:
    """Populations in execution order (sources before targets unless recurrent)."""

    timesteps: int
    populations: tuple[Population, ...]
    projections: tuple[Projection, ...]
    injections: tuple[Injection, ...] = ()
    readout: Readout | None = None
    notes: tuple[str, ...] = field(default=())
    reduced: tuple[Reduced, ...] = ()  # the populations of the model that lost channels
    heads: tuple[Readout, ...] = ()  # of a model that returns several values, all but the first

    @property
    def readouts(self) -> tuple[Readout, ...]:
        """Every head, the answer first."""
        return () if self.readout is None else (self.readout, *self.heads)

    @cached_property
    def by_name(self) -> dict[str, Population]:
        return {population.name: population for population in self.populations}

    @cached_property
    def _incoming(self) -> dict[str, tuple[Projection, ...]]:
        return {
            population.name: tuple(p for p in self.projections if p.target == population.name)
            for population in self.populations
        }

    @cached_property
    def _outgoing(self) -> dict[str, tuple[Projection, ...]]:
        return {
            population.name: tuple(p for p in self.projections if p.source == population.name)
            for population in self.populations
        }

    def incoming(self, population: str) -> tuple[Projection, ...]:
        return self._incoming[population]

    def outgoing(self, population: str) -> tuple[Projection, ...]:
        return self._outgoing[population]

    def injections_into(self, population: str) -> tuple[Injection, ...]:
        return tuple(i for i in self.injections if i.target == population)

    @cached_property
    def _reduced(self) -> dict[str, Reduced]:
        return {entry.population: entry for entry in self.reduced}

    def reduction_of(self, population: str) -> Reduced | None:
        """What became of a population of the model; None: it is here as it was."""
        return self._reduced.get(population)

    def kept_of(self, population: str, values: np.ndarray) -> np.ndarray:
        """The part of a model's population that is here: (samples, steps, ...) of all its values
        to (samples, steps, channels, height, width)."""
        entry = self.reduction_of(population)
        if entry is None:
            return values.reshape(*values.shape[:2], *self.by_name[population].shape)
        channels: np.ndarray = values.reshape(*values.shape[:2], *entry.shape)[:, :, entry.kept]
        return channels

    @cached_property
    def is_recurrent(self) -> bool:
        """True when a projection does not go forward in the list of populations."""
        order = {population.name: index for index, population in enumerate(self.populations)}
        return any(order[p.source] >= order[p.target] for p in self.projections)

    @property
    def depth(self) -> int:
        return max((population.depth for population in self.populations), default=0)

    @property
    def chip_steps(self) -> int:
        """Chip steps from a sample's first input to its answer (pipeline fill included)."""
        return self.timesteps + self.depth

    @property
    def neurons(self) -> int:
        return sum(p.neurons for p in self.populations if p.neuron.on_chip)

    def synapses(self) -> Iterator[tuple[Projection, int]]:
        """Every projection with its number of synapses as if expanded (taps inside the bounds)."""
        for projection in self.projections:
            source = self.by_name[projection.source].shape
            yield projection, projection.connection.synapses(source)
