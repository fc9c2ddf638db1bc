"""Quantization: real kernels, thresholds, decays and offsets into the chip's integers.

One scale a population: `unit` is the real current of one unit of the accumulator a, so that

    threshold / unit = M, an integer            V > 64 (M - 1)  is  U >= threshold   (M for '>')
    weight = mantissa * 2^exponent * unit       mantissas of `weight_bits` signed bits
    offset = (mantissa << exponent) * unit / 64

Populations that share a kernel share the unit.  The unit is chosen from worst-case sums: as fine as
the kernels can use, never so fine that the accumulator could leave its declared width, unless no
choice avoids that; then it is said.  `clip` narrows the kernels' range where calibration shows that
the membrane error falls (hardware.md section 2; the search is empirical).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from snndeploy.errors import FitError, UnsupportedError
from snndeploy.network import (
    MEMBRANE_SHIFT,
    Connection,
    Conv,
    Dense,
    Injection,
    Network,
    Population,
    Projection,
    Readout,
)
from snndeploy.passes.calibration import Calibration
from snndeploy.passes.membrane_error import current_error
from snndeploy.passes.pipeline_delay import assign_depths
from snndeploy.passes.real_network import RealNetwork, RealPopulation
from snndeploy.target import Target

CLIPS = (1.0, 0.85, 0.7, 0.55)  # candidate kernel ranges, as a part of the largest weight
ROUNDING_ROOM = 0.98  # part of the register that a proof uses; rounding mantissas takes the rest
EXTRA_FINENESS = 16  # how much finer than the kernels the unit may be, for leak and threshold
MARGIN = 2.0  # head room over what calibration saw, where no proof is possible
RELAY_PAYLOAD_BITS = 9  # sign included; wider payloads leave the weights behind them no bits
MINIMUM_RELAY_MANTISSA = 31
WRAP_LIMIT = (1 << 17) - 1  # |a| beyond which a << 6 wraps at 24 bits


@dataclass(frozen=True)
class LayerQuantization:
    """What quantizing one population did; one line of the report."""

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
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Quantized:
    network: Network
    layers: tuple[LayerQuantization, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Kernel:
    """A real connection seen from its population: weights per unit of payload."""

    source: str
    connection: Connection
    weight: np.ndarray  # real, times the source's payload unit
    payload: int  # largest |payload| of the source


def quantize(network: RealNetwork, target: Target, calibration: Calibration) -> Quantized:
    """The integer network.

    Raises:
        UnsupportedError: soft reset or a reset value that the target does not have.
        FitError: a threshold or offset that no scale fits into its register.
    """
    return _Quantizer(network, target, calibration).run()


class _Quantizer:
    def __init__(self, network: RealNetwork, target: Target, calibration: Calibration) -> None:
        self.real, self.target, self.calibration = network, target, calibration
        self.largest = (1 << (target.weight_bits - 1)) - 1
        self.payload_unit: dict[str, float] = {}
        self.payload_bound: dict[str, int] = {}
        self.kernels: dict[tuple[int, float, int], Connection] = {}
        self.populations: list[Population] = []
        self.projections: list[Projection] = []
        self.injections: list[Injection] = []
        self.layers: list[LayerQuantization] = []
        self.notes: list[str] = list(network.notes)
        self.units = {group: None for group in _groups(network).values()}
        self.group_of = _groups(network)
        self.group_unit: dict[int, tuple[float, float, tuple[str, ...], bool]] = {}

    def run(self) -> Quantized:
        for population in self.real.populations:
            if population.kind == "input":
                self._input(population)
            elif population.kind == "or":
                self._or(population)
            else:
                self._neurons(population)
        readout = self._readout()
        network = Network(
            self.real.timesteps, tuple(self.populations), tuple(self.projections),
            tuple(self.injections), readout,
        )  # fmt: skip
        return Quantized(
            assign_depths(network, self.target), tuple(self.layers), tuple(self.notes)
        )

    # kinds

    def _input(self, population: RealPopulation) -> None:
        values = self.calibration.values[population.node]
        bound = 1
        if values.dtype != np.uint8:
            bound = max(1, math.ceil(float(np.abs(values).max(initial=0))))
        if bound > 1:
            limit = (1 << ((self.target.payload_bits_default or 1) - 1)) - 1
            bound = min(max(2 * bound, 7), limit)
            self.notes.append(
                f"{population.name}: input payloads are limited to {bound} (twice the largest in the"
                " calibration data); larger ones are clipped and counted"
            )
        self.payload_unit[population.name], self.payload_bound[population.name] = 1.0, bound
        self.populations.append(
            Population(
                population.name, population.shape, "input", payload_bound=bound,
                origin=population.node,
            )
        )  # fmt: skip
        self.injections.append(
            Injection(population.name, population.node, "spikes", minimum=-bound, maximum=bound)
        )

    def _or(self, population: RealPopulation) -> None:
        (term,) = population.terms
        ones = replace(term.connection, weight=np.ones_like(term.connection.weight, dtype=np.int8))
        self._spiking(population)
        self.populations.append(
            Population(
                population.name, population.shape, "lif", threshold=0, membrane_decay=0,
                origin=population.node,
            )
        )  # fmt: skip
        self.projections.append(self._projection(term.source, population.name, ones, 0))

    def _neurons(self, population: RealPopulation) -> None:
        kernels = self._kernels(population)
        self._refuse_neuron(population)
        unit, clip, notes, proved = self._group(population)
        connections, exponents, clipped = [], [], 0
        for kernel in kernels:
            connection, exponent, lost = self._integers(kernel, unit, clip)
            connections.append(connection)
            exponents.append(exponent)
            clipped += lost
            self.projections.append(
                self._projection(kernel.source, population.name, connection, exponent)
            )
        injection_bound = self._inject(population, unit) if population.host else 0
        worst = worst_case(
            [(c, e, k.payload) for c, e, k in zip(connections, exponents, kernels, strict=True)],
            injection_bound,
        )
        made = self._population(population, unit, worst)
        self.populations.append(made)
        if population.kind == "lif":
            self._spiking(population)
        error = _weight_error(kernels, connections, exponents, unit)
        decay = float(population.neuron.get("decay", 1.0))
        self.layers.append(
            LayerQuantization(
                population=population.name,
                unit=unit,
                threshold=made.threshold if population.kind == "lif" else None,
                membrane_decay=made.membrane_decay,
                decay_error=abs((4096 - made.membrane_decay) / 4096 - decay)
                if population.kind == "lif"
                else 0.0,
                weight_bits=self.target.weight_bits,
                exponents=tuple(exponents),
                clip=clip,
                clipped_weights=clipped,
                relative_weight_error=error,
                worst_case_sum=worst,
                sum_limit=self.target.accumulator_max,
                proved=worst <= self.target.accumulator_max,
                notes=notes,
            )
        )
        self._note_bounds(population, worst, notes)

    def _note_bounds(self, population: RealPopulation, worst: int, notes: Sequence[str]) -> None:
        limit = self.target.accumulator_max
        if worst > limit:
            wraps = "could wrap" if worst > WRAP_LIMIT else "cannot wrap"
            self.notes.append(
                f"{population.name}: the worst-case input sum {worst:,} exceeds the declared"
                f" {limit:,} of {self.target.accumulator_bits} bits ({wraps} at 24 bits);"
                " overflows are counted when simulated"
            )
        self.notes.extend(f"{population.name}: {note}" for note in notes)

    def _population(self, population: RealPopulation, unit: float, worst: int) -> Population:
        common = {"origin": population.node, "scale": unit}
        if population.kind == "integrator":
            return Population(population.name, population.shape, "integrator", **common)  # type: ignore[arg-type]
        if population.kind == "relay":
            return self._relay(population, unit, worst)
        threshold = round(population.neuron["threshold"] / unit)
        register = threshold - 1 if population.neuron["fires_at"] == "ge" else threshold
        if not 0 <= register <= self.target.threshold_max:
            raise FitError(
                f"{population.name}: threshold {population.neuron['threshold']:g} becomes"
                f" {register:,}; the register holds 0..{self.target.threshold_max:,}; rescale the"
                " layer's weights and threshold together"
            )
        bias, exponent = self._bias(population, unit)
        return Population(
            population.name, population.shape, "lif", threshold=register,
            membrane_decay=self._decay(population), bias=bias, bias_exponent=exponent, **common,
        )  # type: ignore[arg-type] # fmt: skip

    def _relay(self, population: RealPopulation, unit: float, worst: int) -> Population:
        """Payload bits are few, so that the weights behind keep theirs."""
        limit = (1 << (RELAY_PAYLOAD_BITS - 1)) - 1
        seen = float(np.abs(self.calibration.values[population.node]).max(initial=0)) / unit
        expected = min(worst, max(1, math.ceil(MARGIN * seen)))
        shift = max(0, math.ceil(math.log2(max(1.0, expected / limit))))
        self.payload_unit[population.name] = unit * (1 << shift)
        bound = max(2, (worst >> shift) + 1)
        self.payload_bound[population.name] = bound
        self.notes.append(
            f"{population.name}: forwards currents in steps of {unit * (1 << shift):.4g}"
            f" (payloads up to {bound:,})"
        )
        return Population(
            population.name, population.shape, "relay", payload_shift=shift, payload_bound=bound,
            origin=population.node, scale=unit,
        )  # fmt: skip

    def _refuse_neuron(self, population: RealPopulation) -> None:
        if population.kind != "lif":
            return
        neuron = population.neuron
        if neuron["reset"] == "soft" and not self.target.soft_reset:
            raise UnsupportedError(
                f"{population.name}: {self.target.name} has no soft reset; fine-tune with a hard"
                " reset, or choose a target that has it",
                node=population.name,
                reason="soft reset",
            )
        if neuron["v_reset"] != 0:
            raise UnsupportedError(
                f"{population.name}: a reset to {neuron['v_reset']:g} has no exact integer form with"
                " leak; fine-tune with a reset to 0",
                node=population.name,
                reason="reset value",
            )

    def _decay(self, population: RealPopulation) -> int:
        one = self.target.decay_one
        wanted = round(one * (1.0 - population.neuron["decay"]))
        if wanted >= one:
            self.notes.append(
                f"{population.name}: decay 0 needs a register of {one}, {self.target.decay_bits}"
                f" bits hold {one - 1}; 1/{one} of the membrane stays"
            )
        return min(wanted, one - 1)

    def _bias(self, population: RealPopulation, unit: float) -> tuple[np.ndarray | None, int]:
        if population.offset is None or (population.host and population.host_constant):
            return None, 0
        values = population.offset / unit * (1 << MEMBRANE_SHIFT)
        flat = values.reshape(values.shape[0], -1)
        if np.allclose(flat, flat[:, :1], rtol=1e-9, atol=1e-6):  # rounding noise of float64 sums
            values = flat[:, 0]
        return self._mantissas(population, values)

    def _mantissas(
        self, population: RealPopulation, values: np.ndarray
    ) -> tuple[np.ndarray, int]:
        exponent = self._bias_exponent(population, float(np.abs(values).max(initial=0)))
        return np.rint(values / (1 << exponent)).astype(np.int32), exponent

    def _bias_exponent(self, population: RealPopulation, largest: float) -> int:
        limit = (1 << (self.target.bias_mantissa_bits - 1)) - 1
        exponent = max(0, math.ceil(math.log2(max(largest, 1.0) / limit)))
        most = (1 << self.target.bias_exponent_bits) - 1
        if exponent > most:
            raise FitError(
                f"{population.name}: a bias of {largest:,.0f} units needs exponent {exponent}, the"
                f" register holds 0..{most}; the layer's offsets are far larger than its threshold"
            )
        return exponent

    # injections

    def _inject(self, population: RealPopulation, unit: float) -> int:
        """The encoder's part; returns the largest |a| it can add."""
        values = self.calibration.values[population.host]
        seen = float(np.abs(values).max(initial=0))
        if population.host_constant:
            largest = MARGIN * self._host_bias(population) / unit * (1 << MEMBRANE_SHIFT)
            exponent = self._bias_exponent(population, largest)
            limit = (1 << (self.target.bias_mantissa_bits - 1)) - 1
            self.injections.append(
                Injection(
                    population.name, population.host, "bias", exponent=exponent,
                    multiplier=(1 << MEMBRANE_SHIFT) / unit / (1 << exponent),
                    minimum=-limit, maximum=limit, offset=population.offset,
                )
            )  # fmt: skip
            return 0
        bits = self.target.payload_bits_default or 16
        limit = min(max(1, math.ceil(MARGIN * seen / unit)), (1 << (bits - 1)) - 1)
        self.injections.append(
            Injection(
                population.name, population.host, "graded", 1.0 / unit, 0, -limit, limit
            )
        )
        return limit

    # kernels and units

    def _spiking(self, population: RealPopulation) -> None:
        self.payload_unit[population.name], self.payload_bound[population.name] = 1.0, 1

    def _kernels(self, population: RealPopulation) -> list[_Kernel]:
        return [
            _Kernel(
                term.source, term.connection,
                term.connection.weight * self.payload_unit[term.source],
                self.payload_bound[term.source],
            )
            for term in population.terms
        ]  # fmt: skip

    def _group(self, population: RealPopulation) -> tuple[float, float, tuple[str, ...], bool]:
        """Unit and clip of the population's group, chosen when its first member comes."""
        group = self.group_of[population.name]
        if group not in self.group_unit:
            members = [p for p in self.real.populations if self.group_of.get(p.name) == group]
            self.group_unit[group] = self._choose(members)
        return self.group_unit[group]

    def _choose(self, members: list[RealPopulation]) -> tuple[float, float, tuple[str, ...], bool]:
        known = [m for m in members if all(t.source in self.payload_unit for t in m.terms)]
        if known[0].kind == "integrator":
            return (*self._readout_unit(known[0]), True)
        best: tuple[float, float, float, tuple[str, ...], bool] | None = None
        kernels = {id(k.connection): k for m in known for k in self._kernels(m)}
        trials = CLIPS if kernels else (1.0,)
        for clip in trials:
            unit, notes, proved = self._unit(members, known, clip)
            error = sum(
                current_error(
                    kernel.connection,
                    kernel.weight,
                    self._dequantized(kernel, unit, clip),
                    self.calibration.values[self._node(kernel.source)],
                )
                for kernel in kernels.values()
            ) if kernels else 0.0
            if best is None or error < best[0]:
                best = (error, unit, clip, notes, proved)
        assert best is not None
        return best[1:]

    def _unit(
        self, members: list[RealPopulation], known: list[RealPopulation], clip: float
    ) -> tuple[float, tuple[str, ...], bool]:
        threshold = next((m.neuron["threshold"] for m in members if m.kind == "lif"), None)
        kernels = [k for m in known for k in self._kernels(m)]
        notes: tuple[str, ...] = ()
        worst = max(self._worst_real(m) for m in known)
        seen = MARGIN * max(self._seen(m) for m in members)
        limit = self.target.accumulator_max
        useful = self._useful(kernels, clip)
        if useful == 0.0:
            unit = max(worst, seen, threshold or 0.0) / (limit // 2)
        else:
            unit = max(useful / EXTRA_FINENESS, min(worst / (ROUNDING_ROOM * limit), useful))
        unit = max(unit, max(self._bias_real(m) for m in known) / self._bias_units())
        if threshold is None:
            return unit, notes, worst / unit <= limit
        register = math.ceil(threshold / unit)
        if register > self.target.threshold_max:
            register = self.target.threshold_max
        return threshold / register, notes, worst * register / threshold <= limit

    def _bias_units(self) -> float:
        """Largest bias in units of a, with room for the threshold's rounding to an integer."""
        mantissa = (1 << (self.target.bias_mantissa_bits - 1)) - 1
        largest = mantissa << ((1 << self.target.bias_exponent_bits) - 1)
        return ROUNDING_ROOM * largest / (1 << MEMBRANE_SHIFT)

    def _bias_real(self, population: RealPopulation) -> float:
        """Largest offset, with head room where it is the encoder's value that fills the register."""
        if population.host and population.host_constant:
            return MARGIN * self._host_bias(population)
        return 0.0 if population.offset is None else float(np.abs(population.offset).max())

    def _host_bias(self, population: RealPopulation) -> float:
        values = self.calibration.values[population.host].reshape(-1, *population.shape)
        offset = 0.0 if population.offset is None else population.offset
        return float(np.abs(values + offset).max(initial=0))

    def _useful(self, kernels: list[_Kernel], clip: float) -> float:
        """The coarsest unit that costs no precision: the step of the coarsest kernel, but fine
        enough that weights on graded payloads keep a few bits.  0 when there is no weight."""
        steps = [
            (clip * float(np.abs(k.weight).max(initial=0)), k.payload > 1)
            for k in kernels
        ]
        coarsest = max((size / self.largest for size, graded in steps if not graded), default=0.0)
        relayed = [size / MINIMUM_RELAY_MANTISSA for size, graded in steps if graded and size > 0]
        return min([coarsest, *relayed]) if coarsest else min(relayed, default=0.0)

    def _worst_real(self, population: RealPopulation) -> float:
        """Largest one-sided sum of a step's input, in real units."""
        total = 0.0
        for kernel in self._kernels(population):
            positive, negative = one_sided(kernel.weight)
            total += kernel.payload * max(positive, negative) if kernel.payload == 1 else (
                kernel.payload * float(np.abs(kernel.weight).reshape(len(kernel.weight), -1).sum(1).max())
            )
        if population.host and not population.host_constant:
            values = self.calibration.values[population.host]
            total += MARGIN * float(np.abs(values).max(initial=0))
        return total

    def _seen(self, population: RealPopulation) -> float:
        if not population.current:
            return 0.0
        return float(np.abs(self.calibration.values[population.current]).max(initial=0))

    def _readout_unit(self, population: RealPopulation) -> tuple[float, float, tuple[str, ...]]:
        """Integrators sum over T in 24 bits: the unit keeps the worst case, or what was seen, inside."""
        kernels = self._kernels(population)
        useful = min(float(np.abs(k.weight).max()) / self.largest for k in kernels)
        steps = self.real.timesteps
        worst = 0.0
        for kernel in kernels:
            pool = math.prod(kernel.connection.pool) if isinstance(kernel.connection, Dense) else 1
            positive, negative = one_sided(kernel.weight)
            worst += steps * pool * kernel.payload * max(positive, negative)
        if worst / useful <= WRAP_LIMIT:
            return useful, 1.0, ()
        seen = float(np.abs(self.calibration.values[population.node]).max(initial=0)) or 1.0
        seen = seen / self.real.readout.factor
        unit = max(useful, 2 * MARGIN * seen / WRAP_LIMIT)
        if worst / unit <= WRAP_LIMIT:
            return unit, 1.0, ()
        return unit, 1.0, (
            f"the integrators hold {WRAP_LIMIT:,} units; the worst case of {worst / unit:,.0f} is not"
            f" excluded, calibration reached {seen / unit:,.0f}",
        )

    def _integers(
        self, kernel: _Kernel, unit: float, clip: float
    ) -> tuple[Connection, int, int]:
        """Integer connection (one object per real kernel and unit), exponent, clipped weights."""
        exponent, mantissas, lost = self._mantissa_array(kernel, unit, clip)
        key = (id(kernel.connection), unit * clip, exponent)
        if key not in self.kernels:
            self.kernels[key] = replace(kernel.connection, weight=mantissas)
        return self.kernels[key], exponent, lost

    def _mantissa_array(
        self, kernel: _Kernel, unit: float, clip: float
    ) -> tuple[int, np.ndarray, int]:
        largest = clip * float(np.abs(kernel.weight).max(initial=0))
        ratio = max(largest / unit / self.largest, 1.0)
        exponent = max(0, math.ceil(math.log2(ratio) - 1e-9))
        exact = np.rint(kernel.weight / (unit * (1 << exponent)))
        mantissas = np.clip(exact, -self.largest - 1, self.largest)
        return exponent, mantissas.astype(np.int8), int((exact != mantissas).sum())

    def _dequantized(self, kernel: _Kernel, unit: float, clip: float) -> np.ndarray:
        exponent, mantissas, _ = self._mantissa_array(kernel, unit, clip)
        return mantissas * (unit * (1 << exponent))

    def _projection(
        self, source: str, target: str, connection: Connection, exponent: int
    ) -> Projection:
        same = sum(p.source == source and p.target == target for p in self.projections)
        suffix = f"#{same + 1}" if same else ""
        return Projection(f"{source}->{target}{suffix}", source, target, connection, exponent)

    def _node(self, population: str) -> str:
        return self.real.by_name()[population].node

    def _readout(self) -> Readout:
        readout = self.real.readout
        scale = readout.factor
        if readout.kind == "membrane":
            unit = next(p.scale for p in self.populations if p.name == readout.population)
            scale *= unit / (1 << MEMBRANE_SHIFT)
        return Readout(readout.population, readout.kind, scale, readout.offset)


def one_sided(weight: np.ndarray) -> tuple[float, float]:
    """Largest sum of positive, and of negative, weights into one target."""
    flat = weight.reshape(weight.shape[0], -1)
    return float(np.maximum(flat, 0).sum(1).max()), float(np.maximum(-flat, 0).sum(1).max())


def worst_case(parts: Sequence[tuple[Connection, int, int]], injected: int) -> int:
    """Largest |a| that any spike pattern can cause (a bound: over all targets at once)."""
    total = injected
    for connection, exponent, payload in parts:
        weight = connection.weight.astype(np.int64)
        if isinstance(connection, Dense):
            weight = weight * math.prod(connection.pool)
        flat = weight.reshape(weight.shape[0], -1)
        if payload == 1:
            one = max(int(np.maximum(flat, 0).sum(1).max()), int(np.maximum(-flat, 0).sum(1).max()))
        else:
            one = int(np.abs(flat).sum(1).max()) * payload
        total += one << exponent
    return total


def _weight_error(
    kernels: Sequence[_Kernel],
    connections: Sequence[Connection],
    exponents: Sequence[int],
    unit: float,
) -> float:
    """Root mean square error of all weights over their root mean square."""
    if not kernels:
        return 0.0
    error = power = 0.0
    for kernel, connection, exponent in zip(kernels, connections, exponents, strict=True):
        used = connection.weight.astype(np.float64) * (unit * (1 << exponent))
        error += float(((used - kernel.weight) ** 2).sum())
        power += float((kernel.weight**2).sum())
    return math.sqrt(error / power) if power else 0.0


def _groups(network: RealNetwork) -> dict[str, int]:
    """Populations that share a kernel object, with the same threshold, share a scale."""
    group: dict[str, int] = {}
    owner: dict[tuple[int, object], int] = {}
    for index, population in enumerate(network.populations):
        if population.kind in ("input", "or"):
            continue
        found = index
        keys = [(id(t.connection), population.neuron.get("threshold")) for t in population.terms]
        if population.kind == "lif":
            found = min([owner[key] for key in keys if key in owner], default=index)
        for key in keys:
            owner.setdefault(key, found)
        group[population.name] = found
    return group


__all__ = ["Conv", "LayerQuantization", "Mapping", "Quantized", "quantize"]
