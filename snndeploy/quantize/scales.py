"""Choosing units: the real current of one unit of a population's accumulator.

Populations that share a kernel and a threshold share the unit.  Where everything lies on a common
grid that the registers hold, the unit is the grid's (`grid`) and nothing is rounded.  Else it is
chosen from worst cases: as fine as the kernels can use, never so fine that the accumulator could
leave its declared width, or the membrane its register within T steps, unless no choice with full
mantissas avoids that, and never so fine that what calibration saw leaves them.  A unit is the
kernels' own step over a power of two, so that the weights keep every bit.  `clip` narrows the
kernels' range where calibration shows that the current's error falls (hardware.md section 2; the
search is empirical).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from snndeploy.lower.real_network import RealNetwork, RealPopulation
from snndeploy.network import MEMBRANE_SHIFT
from snndeploy.quantize import integrators
from snndeploy.quantize.calibration import Calibration
from snndeploy.quantize.exact import exact_unit, may_be_exact
from snndeploy.quantize.kernels import (
    Kernel,
    Mantissas,
    double_mantissas,
    mantissas,
    weight_error,
)
from snndeploy.quantize.membrane_error import current_error
from snndeploy.quantize.membranes import largest_membrane, membrane_bound
from snndeploy.target import Target

CLIPS = (1.0, 0.85, 0.7, 0.55)  # candidate kernel ranges, as a part of the largest weight
ROUNDING_ROOM = 0.98  # part of the register that a proof uses; rounding mantissas takes the rest
EXTRA_FINENESS = 16  # how much finer than the kernels the unit may be, for leak and threshold
MARGIN = 2.0  # head room over what calibration saw, where no proof is possible
MINIMUM_RELAY_MANTISSA = 31
WRAP_LIMIT = (1 << 17) - 1  # |a| beyond which a << 6 wraps at 24 bits
Weights = Literal["single", "double", "auto"]
SINGLE_ERROR = 0.02
"""Relative weight error from which `auto` takes two parts of 8 bits.  Rounding normally distributed
weights to 127 steps of their largest leaves 0.6 to 1.3 %; more means that few large weights set the
step of all others."""


@dataclass(frozen=True)
class Scale:
    """clip: largest weight that is held, as a part of the largest there is.

    exact: the weights, threshold and offsets are whole numbers of units, and T steps of leak
    stay whole in the membrane.  double: weights take two parts, and one would leave `single_error`.
    """

    unit: float
    clip: float = 1.0
    notes: tuple[str, ...] = ()
    exact: bool = False
    double: bool = False
    single_error: float = 0.0


class Scales:
    """The units of a network's populations, and what their sources send.

    payload_unit, payload_bound: real value of a payload of 1, and the largest |payload|, by
    population; those of relays and inputs are entered while the network is quantized.
    """

    def __init__(
        self,
        network: RealNetwork,
        target: Target,
        calibration: Calibration,
        kept: Mapping[str, Scale] | None = None,
        weights: Weights = "auto",
    ) -> None:
        """kept: scales of an earlier run, by the first population of each group."""
        self.kept = kept or {}
        self.real, self.target, self.calibration = network, target, calibration
        self.weights: Weights = weights
        self.populations = network.by_name
        spiking = [p.name for p in network.populations if p.kind in ("lif", "or")]
        self.payload_unit = dict.fromkeys(spiking, 1.0)
        most = {p.name: p.neuron.payload_bound for p in network.populations if p.neuron}
        self.payload_bound = {name: most.get(name, 1) for name in spiking}
        self.members = groups(network)
        self.chosen: dict[str, Scale] = {}

    def of(self, population: RealPopulation) -> Scale:
        """The population's scale; chosen for its whole group when the first member comes."""
        members = self.members[population.name]
        leader = members[0].name
        if leader not in self.chosen and leader in self.kept:
            self.chosen[leader] = self._again(self.kept[leader], members)
        if leader not in self.chosen:
            integrates = population.kind == "integrator"
            self.chosen[leader] = (
                self._integrator(population) if integrates else self._choose(members)
            )
        return self.chosen[leader]

    def kernels(self, population: RealPopulation) -> list[Kernel]:
        return [
            Kernel(
                term.source,
                term.connection,
                self.payload_unit[term.source],
                self.payload_bound[term.source],
            )
            for term in population.terms
        ]

    def largest_bias(self, population: RealPopulation) -> float:
        """Largest real offset; with head room where the encoder's value fills the register."""
        offset = 0.0 if population.offset is None else population.offset
        if population.host and population.host_constant:
            values = self.calibration.values[population.host].reshape(-1, *population.shape)
            return MARGIN * float(np.abs(values + offset).max(initial=0))
        return float(np.abs(offset).max(initial=0))

    def largest_seen(self, node: str) -> float:
        """Largest |value| of a node in the calibration data; 0 for ''."""
        return float(np.abs(self.calibration.values[node]).max(initial=0)) if node else 0.0

    # spiking populations and relays

    def _again(self, kept: Scale, members: Sequence[RealPopulation]) -> Scale:
        """A scale of an earlier run, exact only if the weights as they are say so again."""
        if not kept.exact or self._exact(members, *self._known(members)) == kept:
            return kept
        return replace(kept, exact=False)

    def _known(
        self, members: Sequence[RealPopulation]
    ) -> tuple[Sequence[RealPopulation], Sequence[Kernel]]:
        """The members whose sources have their payloads, and their kernels, each once."""
        known = [m for m in members if all(t.source in self.payload_unit for t in m.terms)]
        kernels = list({id(k.connection): k for m in known for k in self.kernels(m)}.values())
        return known, kernels

    def _choose(self, members: Sequence[RealPopulation]) -> Scale:
        known, kernels = self._known(members)
        exact = self._exact(members, known, kernels)
        if exact is not None:
            return exact
        clips = CLIPS if kernels else CLIPS[:1]
        singles = [Scale(self._unit(members, known, kernels, clip), clip) for clip in clips]
        single = min(singles, key=lambda s: sum(self._error(kernel, s) for kernel in kernels))
        return self._in_parts(
            kernels, single, lambda: self._unit(members, known, kernels, 1.0, double=True)
        )

    def _exact(
        self,
        members: Sequence[RealPopulation],
        known: Sequence[RealPopulation],
        kernels: Sequence[Kernel],
    ) -> Scale | None:
        """The coarsest unit with which nothing is rounded, or None."""
        if len(known) < len(members) or not may_be_exact(members, kernels):
            return None
        worst, proved = max(self.worst(m) for m in members), self._bound(members, math.inf)
        held = min(proved, MARGIN * self._largest_membrane(members))
        steps = self.real.timesteps
        unit = exact_unit(members, kernels, steps, worst, held, proved, self.target)
        return None if unit is None else Scale(unit, exact=True)

    def _in_parts(
        self, kernels: Sequence[Kernel], single: Scale, finer: Callable[[], float]
    ) -> Scale:
        """The scale with which weights take one part, or two where asked for or where one leaves
        too much; finer: the unit with which two say the most."""
        error = self._weight_error(kernels, single)
        ordinary = SINGLE_ERROR * max(1.0, 127 / self.target.mantissa_max)  # of fewer bits: more
        enough = {"auto": ordinary, "double": 0.0, "single": math.inf}[self.weights]
        if error <= enough:
            return single
        double = Scale(finer(), double=True, single_error=error)
        exponents = [self.mantissas(k, double).exponent for k in kernels]
        storable = max(exponents) <= self.target.weight_exponent_max
        gained = self._weight_error(kernels, double) < error / 2
        return double if storable and gained else single

    def mantissas(self, kernel: Kernel, scale: Scale, exponent: int | None = None) -> Mantissas:
        """The kernel at a scale, every weight rounded to the nearest; exponent: None the least."""
        limit = self.target.mantissa_max
        if scale.double:
            return double_mantissas(kernel, scale.unit, limit)
        return mantissas(kernel, scale.unit, scale.clip, limit, exponent)

    def _weight_error(self, kernels: Sequence[Kernel], scale: Scale) -> float:
        return weight_error(kernels, [self.mantissas(k, scale) for k in kernels], scale.unit)

    def _error(self, kernel: Kernel, scale: Scale) -> float:
        """Mean square error of the currents that the kernel causes on calibration data."""
        node = self.populations[kernel.source].node
        if not node:  # it fires at every step, whatever the data
            return 0.0
        values = self.calibration.values[node]
        used = self.mantissas(kernel, scale).real(scale.unit)
        payloads = values if kernel.payload_unit == 1.0 else values / kernel.payload_unit
        return current_error(kernel.connection, kernel.weight, used, payloads)

    def _unit(
        self,
        members: Sequence[RealPopulation],
        known: Sequence[RealPopulation],
        kernels: Sequence[Kernel],
        clip: float,
        double: bool = False,
    ) -> float:
        threshold = next((m.neuron.threshold for m in members if m.neuron), 0.0)
        worst = max(self.worst(m) for m in known)
        seen = MARGIN * max(self.largest_seen(m.current) for m in members)
        limit = self.target.accumulator_max
        membrane = self.target.membrane_max / (1 << MEMBRANE_SHIFT)
        useful = self._useful(kernels, clip)
        if useful:
            held = MARGIN * self._largest_membrane(members)
            proof = max(worst / limit, self._bound(known, held) / membrane) / ROUNDING_ROOM
            reached = max(seen / limit, held / membrane)
            least = max(useful / EXTRA_FINENESS, min(proof, useful), reached)
            two = max(self._finest(useful), proof, reached)
            unit = two if double else coarsened(useful, least)
        else:
            unit = max(worst, seen, threshold) / (limit // 2) or 1.0
        unit = max(unit, max(self.largest_bias(m) for m in members) / self._bias_units())
        if not threshold:
            return unit
        register = max(1, math.floor(threshold / unit * (1 + 1e-12)))
        return threshold / min(register, self.target.threshold_max)

    def arriving(self, population: RealPopulation) -> np.ndarray:
        """Largest and smallest real input of a step, offset included, float64 (2, channels)."""
        total = np.zeros((2, population.shape[0]))
        for kernel in self.kernels(population):
            total = total + kernel.connection.reach(kernel.weight, kernel.payload)
        if population.host:
            total = total + MARGIN * self.largest_seen(population.host)
        if population.offset is not None:
            flat = population.offset.reshape(population.shape[0], -1)
            total = total + np.stack([flat.max(1), -flat.min(1)])
        return total * ((1.0,), (-1.0,))

    def _bound(self, members: Sequence[RealPopulation], unknown: float) -> float:
        """Largest |membrane| that any input can give; `unknown` where a neuron does not say."""
        steps = self.real.timesteps
        found = [membrane_bound(self.arriving(m), m, steps) for m in members]
        return max(unknown if bound is None else bound for bound in found)

    def _largest_membrane(self, members: Sequence[RealPopulation]) -> float:
        """Largest |membrane| that the float neurons reached on the calibration data."""
        return max((largest_membrane(m, self.calibration) for m in members), default=0.0)

    def _bias_units(self) -> float:
        """Largest bias in units of a, with room for the threshold's rounding to an integer."""
        largest = self.target.bias_mantissa_max << ((1 << self.target.bias_exponent_bits) - 1)
        return ROUNDING_ROOM * largest / (1 << MEMBRANE_SHIFT)

    def _useful(self, kernels: Sequence[Kernel], clip: float) -> float:
        """The coarsest unit that costs no precision: the step of the coarsest kernel, but fine
        enough that weights on graded payloads keep a few bits.  0 when there is no weight."""
        full = self.target.mantissa_max
        plain = [clip * k.largest / full for k in kernels if k.payload == 1 and k.largest]
        graded = [clip * k.largest / MINIMUM_RELAY_MANTISSA for k in kernels if k.payload > 1]
        steps = [max(plain)] if plain else []
        return min(steps + [step for step in graded if step], default=0.0)

    def _finest(self, useful: float) -> float:
        """The step of the low parts of the coarsest kernel, whose exponent must be storable."""
        return useful / (1 << min(self.target.weight_bits, self.target.weight_exponent_max))

    def worst(self, population: RealPopulation) -> float:
        """Largest one-sided sum of a step's input, in real units."""
        sums = [k.connection.reach(k.weight, k.payload) for k in self.kernels(population)]
        total = float(np.sum(sums, axis=0).max()) if sums else 0.0
        if population.host and not population.host_constant:
            total += MARGIN * self.largest_seen(population.host)
        return total

    # the readout

    def _integrator(self, population: RealPopulation) -> Scale:
        """Integrators sum over T in 24 bits: the worst case, or what was seen, stays inside."""
        found = integrators.unit_of(self, population)
        single = Scale(found.unit, notes=integrators.said(found, self.target), exact=found.exact)
        kernels = [k for k in self.kernels(population) if k.largest]
        if not kernels or found.exact:
            return single
        finest = self._finest(max(k.largest for k in kernels) / self.target.mantissa_max)
        held, most = integrators.held(self.target), self.target.accumulator_max
        needed = max(finest, found.worst / held, self.worst(population) / most) / ROUNDING_ROOM
        return self._in_parts(kernels, single, lambda: needed)


def coarsened(useful: float, least: float) -> float:
    """The unit from `least` on that is the kernels' step over a power of two, or beyond it."""
    if least >= useful:
        return least
    return useful / float(1 << math.floor(math.log2(useful / least) + 1e-9))


def groups(network: RealNetwork) -> dict[str, tuple[RealPopulation, ...]]:
    """For every population, those that share its unit: by a common kernel object and threshold."""
    group = {p.name: [p] for p in network.populations}
    owner: dict[tuple[int, float], str] = {}
    for population in network.populations:
        if population.neuron is None:
            continue
        for term in population.terms:
            key = (id(term.connection), population.neuron.threshold)
            _join(group, owner.setdefault(key, population.name), population.name)
    order = {p.name: index for index, p in enumerate(network.populations)}
    return {
        name: tuple(sorted(members, key=lambda p: order[p.name])) for name, members in group.items()
    }


def _join(group: dict[str, list[RealPopulation]], first: str, second: str) -> None:
    if group[first] is group[second]:
        return
    both = group[first] + group[second]
    for population in both:
        group[population.name] = both
