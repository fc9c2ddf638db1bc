"""Quantization: real kernels, thresholds, decays and offsets into the chip's integers.

One scale a population: `unit` is the real current of one unit of the accumulator a, so that

    threshold / unit = M, an integer            V > 64 (M - 1)  is  U >= threshold   (M for '>')
    weight = mantissa * 2^exponent * unit       mantissas of `weight_bits` signed bits; a second
             + low * 2^low_exponent * unit      projection holds what that leaves, where it is much
    offset = (mantissa << exponent) * unit / 64

How units are chosen is in `scales`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, assert_never

import numpy as np

from snndeploy.connections import Connection
from snndeploy.errors import refusal
from snndeploy.lower.pipeline_delay import assign_depths, own_delay
from snndeploy.lower.real_network import RealNetwork, RealPopulation, RealReadout, Term
from snndeploy.lower.suited import suited
from snndeploy.network import MEMBRANE_SHIFT, Attention, Network, Population, Projection, Readout
from snndeploy.neurons import (
    MEMBRANE_MAXIMUM,
    Integrator,
    LeakyFire,
    Lif,
    Neuron,
    Programmed,
    Relay,
    decay_register,
)
from snndeploy.ops.fixed_point import fixed_point
from snndeploy.quantize import integrators
from snndeploy.quantize.calibration import Calibration
from snndeploy.quantize.fixed import Chosen
from snndeploy.quantize.host_input import HostInput
from snndeploy.quantize.kernels import Kernel, Mantissas, weight_error, worst_case
from snndeploy.quantize.legality import illegal
from snndeploy.quantize.membranes import largest_membrane
from snndeploy.quantize.parts import said_parts
from snndeploy.quantize.registers import bias_registers
from snndeploy.quantize.scales import MARGIN, WRAP_LIMIT, Scale, Scales, Weights
from snndeploy.target import Target

AttentionUnit = Literal["chip", "host"]
RELAY_PAYLOAD_BITS = 9  # sign included; wider payloads leave the weights behind them no bits


@dataclass(frozen=True)
class LayerQuantization:
    """What quantizing one population did; one line of the report.

    worst_case_sum: largest |a| of a step, beyond sum_limit an overflow.  worst_case_membrane:
    largest |v| before a reset within T steps, beyond membrane_limit it saturates (in units of v;
    None: it has no threshold, or attention refines it); membrane_reached: the float model's on the
    calibration data.  proved: no input leaves either register.  exact: nothing was rounded, and
    inside the registers every spike is the float model's (`Scale`).  exponents: one a projection.
    weight_precision: 'double' where each weight is in two projections.
    """

    population: str
    unit: float
    threshold: int | None
    membrane_decay: int
    decay_error: float
    weight_bits: int
    exponents: tuple[int, ...]
    clip: float
    clipped_weights: int
    relative_weight_error: float
    worst_case_sum: int
    sum_limit: int
    proved: bool
    worst_case_membrane: int | None = None
    membrane_limit: int | None = None
    membrane_reached: int | None = None
    exact: bool = False
    notes: tuple[str, ...] = ()
    weight_precision: Literal["single", "double"] = "single"


@dataclass(frozen=True, eq=False)
class Quantized:
    network: Network
    layers: tuple[LayerQuantization, ...]
    notes: tuple[str, ...]
    chosen: Chosen


def quantize(
    network: RealNetwork,
    target: Target,
    calibration: Calibration,
    attention_unit: AttentionUnit = "chip",
    chosen: Chosen | None = None,
    weights: Weights = "single",
) -> Quantized:
    """The integer network; attention_unit: what refines currents and membranes; weights: in one
    part, in two, or in two where one leaves too much (`scales`).

    chosen: the scales of an earlier run (`Quantized.chosen`), used again.

    Raises:
        UnsupportedError: soft reset, a reset value or graded input that the target does not have.
        FitError: a threshold or offset that no scale fits into its register, or a shortcut that
            must wait too long.
    """
    real = suited(network, target)
    return _Quantizer(real, target, calibration, attention_unit, chosen or Chosen(), weights).run()


class _Quantizer:
    def __init__(
        self,
        network: RealNetwork,
        target: Target,
        calibration: Calibration,
        attention_unit: AttentionUnit,
        chosen: Chosen,
        weights: Weights,
    ) -> None:
        self.real, self.target, self.calibration = network, target, calibration
        self.attention_unit: AttentionUnit = attention_unit
        self.scales = Scales(network, target, calibration, chosen.units, weights)
        self.chosen = chosen
        self.host = HostInput(self.scales)
        self.connections: dict[tuple[int, float, Scale, int], Connection] = {}
        self.populations: list[Population] = []
        self.projections: list[Projection] = []
        self.layers: list[LayerQuantization] = []
        self.notes: list[str] = []

    def run(self) -> Quantized:
        found = illegal(self.real, self.target)
        if found:
            raise refusal(found)
        for population in self.real.populations:
            match population.kind:
                case "input":
                    self.populations.append(self.host.input_population(population))
                case "or":
                    self._or(population)
                case "lif" | "relay" | "integrator":
                    self._neurons(population)
                case unknown:
                    assert_never(unknown)
        bits = self.target.accumulator_bits
        network = Network(
            self.real.timesteps,
            tuple(replace(p, accumulator_bits=bits) for p in self.populations),
            tuple(self.projections),
            tuple(self.host.injections),
            self._readout(self.real.readout),
            heads=tuple(map(self._readout, self.real.heads)),
        )
        return Quantized(
            assign_depths(network, self.target),
            tuple(self.layers),
            (*self.real.notes, *self.host.notes, *self.notes),
            Chosen(
                self.scales.chosen, {layer.population: layer.exponents for layer in self.layers}
            ),
        )

    # kinds of populations

    def _or(self, population: RealPopulation) -> None:
        """Fires when `level` inputs do: V > 64 (level - 1), with weights that count spikes.

        Nothing is kept: one part in `decay_one` of a smaller membrane rounds to zero.
        """
        self.populations.append(
            Population(
                population.name,
                population.shape,
                Lif(decay_register(0.0, self.target), threshold=population.level - 1),
                origin=population.node,
            )
        )
        for term in population.terms:
            counts = term.connection.weight.astype(np.int8)
            self._project(population, term, term.connection.with_weight(counts), 0)

    def _neurons(self, population: RealPopulation) -> None:
        scale = self.scales.of(population)
        kernels = self.scales.kernels(population)
        exponents = self.chosen.of(population.name, len(kernels))
        found = [
            self.scales.mantissas(kernel, scale, exponent)
            for kernel, exponent in zip(kernels, exponents, strict=True)
        ]
        parts = []
        for term, kernel, integers in zip(population.terms, kernels, found, strict=True):
            for place, part in enumerate(integers.parts):
                connection = self._connection(kernel, part, scale, place)
                self._project(population, term, connection, part.exponent)
            whole, exponent = integers.together
            parts.append((kernel.connection.with_weight(whole), exponent, kernel.payload))
        injected = self.host.inject(population, scale.unit) if population.host else 0
        worst = worst_case(parts, injected)
        made = self._population(population, scale.unit, worst)
        self.populations.append(made)
        membrane = self._worst_membrane(population, made, parts, injected)
        if membrane is not None and made.neuron.sends_graded:
            self.scales.payload_bound[population.name] = _most_spikes(made.neuron, membrane)
        self._report(population, made, scale, kernels, found, worst, membrane)

    def _population(self, population: RealPopulation, unit: float, worst: int) -> Population:
        name, shape, origin = population.name, population.shape, population.node
        if population.kind == "integrator":
            leak = integrators.register_of(population, self.target)
            return Population(name, shape, Integrator(leak), origin=origin, scale=unit)
        if population.kind == "relay":
            return self._relay(population, unit, worst)
        assert population.neuron is not None
        neuron = population.neuron.registers(unit, self.target, name)
        bias, exponent = bias_registers(population, unit, self.target)
        return Population(
            name,
            shape,
            neuron,
            bias=bias,
            bias_exponent=exponent,
            scale=unit,
            origin=origin,
            attention=self._attention(population),
        )

    def _attention(self, population: RealPopulation) -> tuple[Attention, ...]:
        return tuple(
            Attention(
                fixed_point(region.graph),
                "membrane" if region.location == "membrane" else "current",
                region.full_window,
                self.attention_unit,
            )
            for region in population.attention
        )

    def _relay(self, population: RealPopulation, unit: float, worst: int) -> Population:
        """Payload bits are few, so that the weights behind keep theirs.

        Attention has no worst case: what it sends is clipped to what calibration saw, with room.
        """
        limit = (1 << (RELAY_PAYLOAD_BITS - 1)) - 1
        bits = self.target.payload_bits_default or self.target.payload_bits or 1
        widest = (1 << (bits - 1)) - 1 or 1
        seen = self.scales.largest_seen(population.node) / unit
        expected = max(1, math.ceil(MARGIN * seen))
        bias, bias_exponent = None, 0
        if population.attention:
            worst = expected
            bias, bias_exponent = bias_registers(population, unit, self.target)
        expected = min(worst, expected)
        shift = max(0, math.ceil(math.log2(max(1.0, expected / limit, worst / widest))))
        step, bound = unit * (1 << shift), max(2, (worst >> shift) + 1)
        self.scales.payload_unit[population.name] = step
        self.scales.payload_bound[population.name] = bound
        self.notes.append(
            f"{population.name}: forwards currents in steps of {step:.4g}"
            f" (payloads up to {bound:,})"
        )
        return Population(
            population.name,
            population.shape,
            Relay(shift, bound),
            bias=bias,
            bias_exponent=bias_exponent,
            scale=unit,
            origin=population.node,
            attention=self._attention(population),
        )

    # projections

    def _connection(
        self, kernel: Kernel, integers: Mantissas, scale: Scale, place: int
    ) -> Connection:
        """One integer connection for each real kernel, source unit, scale and place of the part."""
        key = (id(kernel.connection), kernel.payload_unit, scale, place)
        if key not in self.connections:
            self.connections[key] = kernel.connection.with_weight(integers.values)
        return self.connections[key]

    def _project(
        self, population: RealPopulation, term: Term, connection: Connection, exponent: int
    ) -> None:
        source, target = term.source, population.name
        same = sum(p.source == source and p.target == target for p in self.projections)
        suffix = f"#{same + 1}" if same else ""
        self.projections.append(
            Projection(
                f"{source}->{target}{suffix}", source, target, connection, exponent,
                axonal_delay=own_delay(term, self.real.by_name[source].shape),
            )
        )  # fmt: skip

    # what was done

    def _report(
        self,
        population: RealPopulation,
        made: Population,
        scale: Scale,
        kernels: Sequence[Kernel],
        found: Sequence[Mantissas],
        worst: int,
        membrane: int | None,
    ) -> None:
        neuron, trained, limit = made.neuron, population.neuron, self.target.accumulator_max
        fires = trained is not None and not population.attention
        seen = largest_membrane(population, self.calibration)
        reached = math.ceil(seen / scale.unit * (1 << MEMBRANE_SHIFT))
        held = membrane is not None and membrane <= self.target.membrane_max
        rounded = trained.off(neuron.real(scale.unit, trained)) if trained else {}
        if reads := population.kind == "integrator":
            rounded = {"decay": abs(population.keep - integrators.kept(population, self.target))}
            self.notes += integrators.said_leak(population, self.target)
        above = neuron.fires_above
        self.layers.append(
            LayerQuantization(
                population=population.name,
                unit=scale.unit,
                threshold=None if above is None else above >> MEMBRANE_SHIFT,
                membrane_decay=getattr(neuron, "membrane_decay", 0),
                decay_error=rounded.get("decay", 0.0),
                weight_bits=self.target.weight_bits,
                exponents=tuple(part.exponent for integers in found for part in integers.parts),
                clip=scale.clip,
                clipped_weights=sum(integers.clipped for integers in found),
                relative_weight_error=weight_error(kernels, found, scale.unit),
                worst_case_sum=worst,
                sum_limit=limit,
                proved=worst <= limit and (held or not (trained or reads)),
                worst_case_membrane=membrane,
                membrane_limit=self.target.membrane_max if fires or reads else None,
                membrane_reached=reached if fires else None,
                exact=scale.exact,
                notes=scale.notes,
                weight_precision="double" if scale.double else "single",
            )
        )
        forgets = isinstance(trained, LeakyFire) and trained.decay == 0.0
        if rounded.get("decay") and forgets and not scale.exact:
            one = self.target.decay_one
            self.notes.append(
                f"{population.name}: decay 0 needs a register of {one}, {self.target.decay_bits}"
                f" bits hold {one - 1}; 1/{one} of the membrane stays"
            )
        if worst > limit:
            wraps = "could wrap" if worst > WRAP_LIMIT else "cannot wrap"
            self.notes.append(
                f"{population.name}: the worst-case input sum {worst:,} exceeds the declared"
                f" {limit:,} of {self.target.accumulator_bits} bits ({wraps} at 24 bits);"
                " overflows are counted when simulated"
            )
        if fires and not held:
            self.notes.append(self._saturates(population, membrane, reached))
        if reads and not held and not scale.notes:
            seen = integrators.largest_seen(self.scales, population) / scale.unit
            reached = math.ceil(seen * (1 << MEMBRANE_SHIFT))
            self.notes.append(self._saturates(population, membrane, reached))
        notes = list(scale.notes)
        if scale.double:
            error = self.layers[-1].relative_weight_error
            notes.append(said_parts(population, kernels, found, error, scale, self.scales))
        self.notes.extend(f"{population.name}: {note}" for note in notes)

    def _worst_membrane(
        self,
        population: RealPopulation,
        made: Population,
        parts: Sequence[tuple[Connection, int, int]],
        injected: int,
    ) -> int | None:
        """Largest |v| of its integers that T steps of any input can give; None: not known."""
        trained = population.neuron
        if population.kind == "integrator":
            sums, keep = worst_case(parts), integrators.kept(population, self.target)
            return integrators.worst_membrane(sums, keep, self.real.timesteps)
        if trained is None or population.attention:
            return None
        both = np.full((2, population.shape[0]), float(injected))
        for connection, exponent, payload in parts:
            both += connection.reach(connection.weight, payload) << exponent
        both *= 1 << MEMBRANE_SHIFT
        biases = made.own_bias.reshape(population.shape[0], -1)
        both += np.stack([biases.max(1), -biases.min(1)])
        for injection in self.host.injections:
            if injection.target == population.name and injection.mode == "bias":
                both += np.array([[injection.maximum], [-injection.minimum]]) * float(
                    1 << injection.exponent
                )
        real = made.scale / (1 << MEMBRANE_SHIFT)
        most, least = np.maximum(both[0], 0.0) * real, np.minimum(-both[1], 0.0) * real
        integers = made.neuron.real(made.scale, trained)
        bound = integers.membrane_bound(most, least, self.real.timesteps)
        return None if bound is None else math.ceil(bound / real * (1 - 1e-12))

    def _saturates(self, population: RealPopulation, worst: int | None, reached: int) -> str:
        """What is said of a membrane that may leave its register."""
        steps, limit = self.real.timesteps, self.target.membrane_max
        far = "is not bounded" if worst is None else f"could reach {worst:,}"
        seen = f"on {self.calibration.samples} calibration samples the float model's reaches"
        also = ", so it does saturate" if reached > limit else ""
        return (
            f"{population.name}: its membrane {far} within {steps} steps and saturates at"
            f" {limit:,}; {seen} {reached:,}{also}; fewer steps, more leak or smaller weights"
            " exclude it"
        )

    def _readout(self, readout: RealReadout) -> Readout:
        scale = readout.factor
        if readout.kind == "membrane":
            unit = next(p.scale for p in self.populations if p.name == readout.population)
            scale *= unit / (1 << MEMBRANE_SHIFT)
        return Readout(
            readout.population,
            readout.kind,
            scale,
            readout.offset,
            readout.steps,
            readout.weights,
            readout.finish,
        )


def _most_spikes(neuron: Neuron, membrane: int) -> int:
    """Spikes of a step that a membrane of at most `membrane` units of v gives."""
    if not isinstance(neuron, Programmed):
        return neuron.payload_bound
    above = min(membrane, MEMBRANE_MAXIMUM) - neuron.threshold - 1
    return int(np.clip(1 + above // neuron.amount, 1, neuron.most_spikes))
