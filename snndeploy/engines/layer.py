"""One population over one or many steps, exact: contributions are summed, then the neurons run.

Arrays are channels-last, (samples, steps, H, W, C) flattened to (samples, steps, neurons).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from snndeploy.engines import kernels
from snndeploy.engines.boundary import OVERFLOW_KINDS, Injected
from snndeploy.errors import DeployError
from snndeploy.network import MEMBRANE_SHIFT, NO_CURRENT_MEMORY, Network, Population

INT32_EXACT = 1 << 31
NEVER_FIRES = 1 << 30  # a membrane stays below 2^23
DECIDING_BIAS = 1 << 26  # a larger bias saturates v whatever the rest (below 2^25) is
LARGEST_RESET = 1 << 29


@dataclass(eq=False)
class Contribution:
    """One summand of a: sums << exponent, with |sums| <= bound.

    sums: integers of any type, contiguous, of as many elements as (samples, steps, neurons).
    """

    sums: np.ndarray
    exponent: int
    bound: int

    @property
    def shifted_bound(self) -> int:
        if self.exponent >= 0:
            return self.bound << self.exponent
        return (self.bound >> -self.exponent) + 1


@dataclass(eq=False)
class Result:
    """Steps of one population, (samples, steps, neurons) in channels-last order.

    payload: uint8 spikes; int32 of relays and graded inputs.   counts: int64 (samples, steps).
    updated: uint8, and membranes: int32, None when not asked for or without meaning.
    """

    payload: np.ndarray
    counts: np.ndarray
    updated: np.ndarray | None = None
    membranes: np.ndarray | None = None


def channels_last(array: np.ndarray) -> np.ndarray:
    """(..., C, H, W) -> (..., H, W, C), contiguous."""
    return np.ascontiguousarray(np.moveaxis(array, -3, -1))


def channels_first(flat: np.ndarray, population: Population) -> np.ndarray:
    """A view (..., C, H, W) of (..., neurons) in channels-last order; not contiguous."""
    channels, height, width = population.shape
    return np.moveaxis(flat.reshape(*flat.shape[:-1], height, width, channels), -1, -3)


def _shift(value: np.ndarray, exponent: int) -> np.ndarray:
    shifted: np.ndarray = value << exponent if exponent >= 0 else value >> -exponent
    return shifted


def total_bias(
    network: Network, population: Population, injected: Injected, batch: slice
) -> np.ndarray:
    """What is added to v at every step, int32 (1 or samples, neurons), channels-last."""
    parts = []
    if population.bias is not None:
        mantissa = np.asarray(population.bias, dtype=np.int64)
        if mantissa.ndim == 1:
            mantissa = np.broadcast_to(mantissa[:, None, None], population.shape)
        parts.append(_shift(mantissa, population.bias_exponent)[None])
    for index, injection in enumerate(network.injections):
        if injection.target == population.name and injection.mode == "bias":
            parts.append(_shift(injected[index][batch].astype(np.int64), injection.exponent))
    if not parts:
        return np.zeros((1, population.neurons), dtype=np.int32)
    total = np.clip(sum(parts), -DECIDING_BIAS, DECIDING_BIAS).astype(np.int32)
    return channels_last(total).reshape(total.shape[0], -1)


def combine(contributions: Sequence[Contribution], shape: tuple[int, ...]) -> np.ndarray:
    """a as int32, or int64 when the worst case needs it."""
    bound = sum(contribution.shifted_bound for contribution in contributions)
    if bound >= 1 << 62:
        raise DeployError(f"the sum into a population may reach {bound}; at most 2^62 is possible")
    if not contributions:
        return np.zeros(shape, dtype=np.int32)
    total = np.empty(shape, dtype=np.int32 if bound < INT32_EXACT else np.int64)
    for position, contribution in enumerate(contributions):
        kernels.add_shifted(
            total.reshape(-1), contribution.sums.reshape(-1), contribution.exponent, position == 0
        )
    return total


class Layer:
    """State and parameters of one population for one batch of samples.

    overflows: int64 (len(OVERFLOW_KINDS),), counted since the start.
    v: int32 (samples, neurons), channels-last.
    """

    def __init__(self, network: Network, population: Population, injected: Injected, batch: slice):
        self.population = population
        self.samples = batch.stop - batch.start
        self.overflows = np.zeros(len(OVERFLOW_KINDS), dtype=np.int64)
        if population.kind == "input" or (population.kind == "relay" and not population.attention):
            return
        self.bias = total_bias(network, population, injected, batch)
        self.v = np.zeros((self.samples, population.neurons), dtype=np.int32)
        self.u = np.zeros_like(self.v) if population.current_decay != NO_CURRENT_MEMORY else None
        threshold = population.threshold << MEMBRANE_SHIFT
        self.threshold = np.int32(np.clip(threshold, -NEVER_FIRES, NEVER_FIRES))
        amount = population.reset_amount << MEMBRANE_SHIFT
        if abs(amount) > LARGEST_RESET:
            raise DeployError(
                f"{population.name}: reset amount {population.reset_amount} is too large"
            )
        if population.kind == "integrator":
            self.threshold = np.int32(NEVER_FIRES)
        self.soft_mask = np.int32(-1 if population.reset == "soft" else 0)
        self.amount = np.int32(amount)
        self.keep = np.int32(NO_CURRENT_MEMORY - population.membrane_decay)
        self.current_keep = np.int32(NO_CURRENT_MEMORY - population.current_decay)

    def advance(
        self,
        contributions: Sequence[Contribution],
        steps: int,
        want_updated: bool = False,
        want_membranes: bool = False,
    ) -> Result:
        """Run `steps` steps on what arrives in them."""
        shape = (self.samples, steps, self.population.neurons)
        if self.population.kind == "relay":
            return self._relay(combine(contributions, shape), want_updated)
        spikes = np.empty(shape, dtype=np.uint8)
        counts = np.zeros(shape[:2], dtype=np.int64)
        updated = np.empty(shape if want_updated else (0, 0, 0), dtype=np.uint8)
        membranes = np.empty(shape if want_membranes else (0, 0, 0), dtype=np.int32)
        outputs = (spikes, counts, updated, membranes, self.overflows)
        neurons = (self.bias, self.keep, self.threshold, self.soft_mask, self.amount)
        limit = self.population.input_maximum
        if self.u is not None:
            a = combine(contributions, shape)
            kernels.integrate_current_and_fire(
                a, self.current_keep, np.int64(limit), *neurons, self.u, self.v, *outputs
            )
        else:
            a, scale = self._single(contributions, shape)
            kernels.integrate_and_fire(
                a, scale, scale.dtype.type(limit), *neurons, self.v, *outputs
            )
        return Result(
            spikes, counts, updated if want_updated else None, membranes if want_membranes else None
        )

    def _single(
        self, contributions: Sequence[Contribution], shape: tuple[int, ...]
    ) -> tuple[np.ndarray, np.number]:
        """a as inputs * scale: a lone contribution is used as it is, without a copy."""
        if len(contributions) == 1 and contributions[0].shifted_bound < INT32_EXACT:
            sums, exponent = contributions[0].sums, contributions[0].exponent
            if exponent >= 0 and sums.dtype in (np.float32, np.int32):
                return sums.reshape(shape), sums.dtype.type(1 << exponent)
        a = combine(contributions, shape)
        return a, a.dtype.type(1)

    def _relay(self, a: np.ndarray, want_updated: bool) -> Result:
        payload = a >> self.population.payload_shift
        largest = max(int(payload.max(initial=0)), -int(payload.min(initial=0)))
        if largest >= INT32_EXACT:
            raise DeployError(f"{self.population.name}: a payload of {largest} needs over 32 bits")
        if largest > self.population.payload_bound:
            beyond = np.count_nonzero(np.abs(payload) > self.population.payload_bound)
            self.overflows[OVERFLOW_KINDS.index("payload")] += beyond
        return Result(
            payload.astype(np.int32, copy=False),
            np.count_nonzero(payload, axis=2).astype(np.int64),
            (a != 0).view(np.uint8) if want_updated else None,
        )
