"""What the host sends into a quantized network: events, biases loaded once, graded values."""

from __future__ import annotations

import math

import numpy as np

from snndeploy.errors import refusal
from snndeploy.lower.real_network import RealPopulation
from snndeploy.network import MEMBRANE_SHIFT, Injection, Population
from snndeploy.neurons import Input
from snndeploy.quantize.legality import no_payloads
from snndeploy.quantize.registers import bias_exponent
from snndeploy.quantize.scales import MARGIN, Scales

HOST_VALUE_BITS = 16  # of a value written at every step where there are no graded spikes
SMALLEST_EVENT_BOUND = 7  # event counts beyond those of the calibration data


class HostInput:
    """Collects the injections of a network."""

    def __init__(self, scales: Scales) -> None:
        self.scales, self.target, self.calibration = scales, scales.target, scales.calibration
        self.injections: list[Injection] = []
        self.notes: list[str] = []

    def input_population(self, population: RealPopulation) -> Population:
        """A population of events from the host: spikes, or counts as graded payloads.

        Raises:
            UnsupportedError: counts, on a target without graded spikes.
        """
        bound, signed = self._event_bound(population)
        self.scales.payload_unit[population.name] = 1.0
        self.scales.payload_bound[population.name] = bound
        self.injections.append(
            Injection(
                population.name,
                population.node,
                "spikes",
                minimum=-bound if signed else 0,
                maximum=bound,
            )
        )
        return Population(population.name, population.shape, Input(bound), origin=population.node)

    def _event_bound(self, population: RealPopulation) -> tuple[int, bool]:
        """Largest payload, and whether it may be negative."""
        values = self.calibration.values[population.node]
        signed = bool((values < 0).any())
        largest = math.ceil(float(np.abs(values).max(initial=0)))
        if values.dtype == np.uint8 or (largest <= 1 and not signed):
            return 1, False
        if not self.target.graded_spikes:
            raise refusal((no_payloads(population.name, largest, self.target),))
        limit = (1 << ((self.target.payload_bits_default or self.target.payload_bits) - 1)) - 1
        bound = min(max(2 * largest, SMALLEST_EVENT_BOUND), limit)
        self.notes.append(
            f"{population.name}: input payloads are limited to {bound} (twice the largest in the"
            " calibration data); larger ones are clipped and counted"
        )
        return bound, signed

    def inject(self, population: RealPopulation, unit: float) -> int:
        """The encoder's part of a population's current; returns the largest |a| it can add."""
        if population.host_constant:
            self._bias(population, unit)
            return 0
        bits = self.target.payload_bits_default or HOST_VALUE_BITS
        wanted = math.ceil(MARGIN * self.scales.largest_seen(population.host) / unit)
        limit = min(max(1, wanted), (1 << (bits - 1)) - 1)
        self.injections.append(
            Injection(population.name, population.host, "graded", 1.0 / unit, 0, -limit, limit)
        )
        if not self.target.graded_spikes:
            self.notes.append(
                f"{population.name}: {self.target.name} has no graded spikes; the host writes the"
                " encoder's values into its neurons at every step"
            )
        return limit

    def _bias(self, population: RealPopulation, unit: float) -> None:
        """Constant over T: loaded once a sample into the bias registers, the offset included."""
        largest = self.scales.largest_bias(population) / unit * (1 << MEMBRANE_SHIFT)
        exponent = bias_exponent(population.name, largest, self.target, from_calibration=True)
        limit = self.target.bias_mantissa_max
        self.injections.append(
            Injection(
                population.name,
                population.host,
                "bias",
                exponent=exponent,
                multiplier=(1 << MEMBRANE_SHIFT) / unit / (1 << exponent),
                minimum=-limit,
                maximum=limit,
                offset=population.offset,
            )
        )
