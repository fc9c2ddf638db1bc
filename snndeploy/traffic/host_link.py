"""The bytes that cross the host link in every sample, whatever the spikes.

* A bias injection costs BIAS_BYTES a neuron, in the first step that uses it; it is loaded
  into registers and sends no message.
* A reading of an answer costs READOUT_BYTES a neuron, in the step that is read: the last of its
  population, and before it those of a head that needs more than one.
* Attention by the host moves every current (or membrane) of its population out, READOUT_BYTES, and
  back, HOST_MESSAGE_BYTES, in each of its steps; these are registers, not messages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from snndeploy.network import Attention, Network, Population

HOST_MESSAGE_BYTES = 4  # a 32-bit spike message
BIAS_BYTES = 2  # a 13-bit mantissa
READOUT_BYTES = 4  # a 24-bit membrane, or a spike count


@dataclass(frozen=True)
class Transfer:
    """Bytes that one chip step moves for a population; `attention`: the step waits for them."""

    counter: Literal["host_bytes_in", "host_bytes_out"]
    population: str
    step: int
    moved: int
    attention: bool = False


def host_transfers(network: Network) -> Iterator[Transfer]:
    """What no spike depends on, in chip steps of a sample."""
    for injection in network.injections:
        if injection.mode == "bias":
            target = network.by_name[injection.target]
            moved = BIAS_BYTES * target.neurons
            yield Transfer("host_bytes_in", target.name, target.arrival, moved)
    for population in network.populations:
        for attention in population.attention:
            if attention.unit == "host":
                yield from _of_attention(population, attention, network.timesteps)
    for readout in network.readouts:
        answer = network.by_name[readout.population]
        for step in readout.steps_of(network.timesteps):
            moved = READOUT_BYTES * answer.neurons
            yield Transfer("host_bytes_out", answer.name, answer.depth + step, moved)


def _of_attention(
    population: Population, attention: Attention, timesteps: int
) -> Iterator[Transfer]:
    """Currents as they arrive, or membranes, to the host, and back."""
    known = population.arrival if attention.at == "current" else population.depth
    out, back = (size * population.neurons for size in (READOUT_BYTES, HOST_MESSAGE_BYTES))
    for step in range(timesteps):
        yield Transfer("host_bytes_out", population.name, known + step, out, attention=True)
        yield Transfer(
            "host_bytes_in", population.name, population.depth + step, back, attention=True
        )
