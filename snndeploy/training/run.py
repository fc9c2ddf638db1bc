"""One pass through a network of integers, population by population, with derivatives.

    a << 6 = sum over projections of (connection . payload) << (exponent + 6)  + graded injections

in aligned time, all steps at once, as `engines.functional`; values are whole numbers, exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional

from snndeploy.connections import Connection, Conv, Dense, Transposed
from snndeploy.connections.transposed import sources_first
from snndeploy.engines.functional import misaligned
from snndeploy.errors import UnsupportedError
from snndeploy.network import Injection, Network, Population, Projection
from snndeploy.tensors import tensor
from snndeploy.training.dynamics import UNIT, payloads, require_known

EXACT_BELOW = {torch.float32: 1 << 24, torch.float64: 1 << 53}  # whole numbers that a float holds


def require_trainable(network: Network) -> None:
    """Refuse what `Run` does not compute.

    Raises:
        UnsupportedError: naming the population or projection.
    """
    for population in network.populations:
        require_known(population)
    late = {projection.name for projection, _ in misaligned(network)}
    for projection in network.projections:
        what = ""
        if not isinstance(projection.connection, (Conv, Dense, Transposed)):
            what = f"is a connection {projection.connection.kind!r}"
        elif projection.axonal_delay is not None or projection.name in late:
            what = "has a delay"
        elif network.is_recurrent:
            what = "belongs to a recurrent network"
        if what:
            raise UnsupportedError(
                f"{projection.name} {what}, which fine-tuning on integers does not compute; train"
                " it before it is quantized, or leave it out",
                node=projection.target,
                reason=what,
            )


class Run:
    """payloads: by population, float64 (samples, steps, C, H, W).  membranes: after the last step.

    injected: by index into network.injections, as the host sends it.  width: of the surrogate
    derivative, in thresholds.
    """

    def __init__(
        self, network: Network, injected: Mapping[int, np.ndarray], samples: int, width: float
    ) -> None:
        self.network, self.samples, self.width = network, samples, width
        self.injected = {
            network.injections[index]: tensor(values, torch.float64)
            for index, values in injected.items()
        }
        self.payloads: dict[str, Any] = {}
        self.membranes: dict[str, Any] = {}

    def advance(self, population: Population, added: Any = None) -> Any:
        """The population's payloads; added: to its current, in units of v (zero, for training)."""
        if not population.neuron.on_chip:
            sent = self._from_host(population)
        else:
            current = self._current(population)
            if added is not None:
                current = current + added
            bias = self._bias(population)
            sent, membrane = payloads(population, current, bias, self.width)
            self.membranes[population.name] = membrane
        self.payloads[population.name] = sent
        return sent

    def answer(self) -> Any:
        """The readout's integers, (samples, classes)."""
        readout = self.network.readout
        assert readout is not None
        if readout.kind == "membrane":
            return self.membranes[readout.population].reshape(self.samples, -1)
        return self.payloads[readout.population].sum(1).reshape(self.samples, -1)

    def _silence(self, population: Population) -> Any:
        shape = (self.samples, self.network.timesteps, *population.shape)
        return torch.zeros(shape, dtype=torch.float64)

    def _sent_to(self, population: Population, mode: str) -> list[tuple[Injection, Any]]:
        found = self.injected.items()
        return [(i, v) for i, v in found if (i.target, i.mode) == (population.name, mode)]

    def _from_host(self, population: Population) -> Any:
        sent = self._silence(population)
        for _, values in self._sent_to(population, "spikes"):
            sent = sent + values
        return sent

    def _bias(self, population: Population) -> Any:
        bias = tensor(population.own_bias, torch.float64)
        for injection, values in self._sent_to(population, "bias"):
            bias = bias + values * float(1 << injection.exponent)
        return bias

    def _current(self, population: Population) -> Any:
        current = self._silence(population)
        for injection, values in self._sent_to(population, "graded"):
            current = current + values * float(UNIT << injection.exponent)
        for projection in self.network.incoming(population.name):
            sums = self._sums(projection)
            current = current + sums * float(UNIT << projection.exponent)
        return current

    def _sums(self, projection: Projection) -> Any:
        sent = self.payloads[projection.source]
        frames = sent.flatten(0, 1)
        sums = _sums(projection.connection, frames)
        return sums.reshape(*sent.shape[:2], *sums.shape[1:])


def _sums(connection: Connection, frames: Any) -> Any:
    """Sums of weight * payload of (frames, C, H, W), in the shortest float that holds them all."""
    largest = int(connection.neuron_sums(np.abs(connection.weight.astype(np.int64))).max(initial=0))
    reach = largest * int(frames.detach().abs().max())
    kind = torch.float32 if reach < EXACT_BELOW[torch.float32] else torch.float64
    assert reach < EXACT_BELOW[kind], f"sums up to {reach}"
    weight = tensor(connection.weight, kind)
    given = frames.to(kind)
    if isinstance(connection, Conv):
        sums = functional.conv2d(
            given, weight, None, connection.stride, connection.padding, connection.dilation,
            connection.groups,
        )  # fmt: skip
    elif isinstance(connection, Transposed):
        sums = functional.conv_transpose2d(
            given, tensor(sources_first(connection.weight, connection.groups), kind), None,
            connection.stride, connection.padding, connection.extra, connection.groups,
        )  # fmt: skip
    else:
        assert isinstance(connection, Dense)
        sums = _dense(connection, given, weight)
    return sums.double()


def _dense(connection: Dense, frames: Any, weight: Any) -> Any:
    count, channels, *_ = frames.shape
    (rows, columns), (high, wide) = weight.shape[2:], connection.pool
    whole = frames[:, :, : rows * high, : columns * wide]
    pooled = whole.reshape(count, channels, rows, high, columns, wide).sum((3, 5))
    sums = functional.linear(pooled.flatten(1), weight.flatten(1))
    return sums[:, :, None, None]
