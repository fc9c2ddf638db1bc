"""One population over one or many steps, exact: contributions are summed, then the neurons run.

Arrays are channels-last, (samples, steps, H, W, C) flattened to (samples, steps, neurons).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from snndeploy.engines import kernels
from snndeploy.engines.boundary import Injected
from snndeploy.errors import DeployError
from snndeploy.network import Network, Population
from snndeploy.neurons import no_overflows, shift
from snndeploy.neurons.kernel import Result, Run, Wanted

INT32_EXACT = 1 << 31
DECIDING_BIAS = 1 << 26  # a larger bias saturates v whatever the rest (below 2^25) is


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


def channels_last(array: np.ndarray) -> np.ndarray:
    """(..., C, H, W) -> (..., H, W, C), contiguous."""
    return np.ascontiguousarray(np.moveaxis(array, -3, -1))


def channels_first(flat: np.ndarray, population: Population) -> np.ndarray:
    """A view (..., C, H, W) of (..., neurons) in channels-last order; not contiguous."""
    channels, height, width = population.shape
    return np.moveaxis(flat.reshape(*flat.shape[:-1], height, width, channels), -1, -3)


def total_bias(
    network: Network, population: Population, injected: Injected, batch: slice
) -> np.ndarray:
    """What is added to v at every step, int32 (1 or samples, neurons), channels-last."""
    parts = [] if population.bias is None else [population.own_bias[None]]
    for index, injection in enumerate(network.injections):
        if injection.target == population.name and injection.mode == "bias":
            parts.append(shift(injected[index][batch].astype(np.int64), injection.exponent))
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


@dataclass(eq=False)
class Arrived:
    """What arrives in some steps, `kernel.Arriving`.  shape: (samples, steps, neurons)."""

    contributions: Sequence[Contribution]
    shape: tuple[int, int, int]

    def total(self) -> np.ndarray:
        return combine(self.contributions, self.shape)

    def scaled(self) -> tuple[np.ndarray, np.number]:
        """A lone contribution is used as it is, without a copy."""
        if len(self.contributions) == 1 and self.contributions[0].shifted_bound < INT32_EXACT:
            sums, exponent = self.contributions[0].sums, self.contributions[0].exponent
            if exponent >= 0 and sums.dtype in (np.float32, np.int32):
                return sums.reshape(self.shape), sums.dtype.type(1 << exponent)
        a = self.total()
        return a, a.dtype.type(1)


class Layer:
    """State and kernel of one population for one batch of samples.

    overflows: int64 (len(OVERFLOW_KINDS),), counted since the start.
    state: by name, (samples, neurons), channels-last.
    """

    def __init__(self, network: Network, population: Population, injected: Injected, batch: slice):
        self.population = population
        self.samples = batch.stop - batch.start
        self.overflows = no_overflows()
        self.bias = total_bias(network, population, injected, batch)
        self.kernel = population.neuron.kernel(population.name)
        self.state = self.kernel.start(self.samples, population.neurons)

    @property
    def run(self) -> Run:
        population = self.population
        limit = population.input_maximum
        return Run(population.name, limit, self.bias, self.state, self.overflows)

    def advance(
        self,
        contributions: Sequence[Contribution],
        steps: int,
        want_updated: bool = False,
        want_membranes: bool = False,
    ) -> Result:
        """Run `steps` steps on what arrives in them."""
        arriving = Arrived(contributions, (self.samples, steps, self.population.neurons))
        return self.kernel.advance(self.run, arriving, Wanted(want_updated, want_membranes))
