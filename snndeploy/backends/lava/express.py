"""How the integers of a Network are said to Lava, and what Lava cannot say.

Every function here either keeps the arithmetic exactly, or raises an UnsupportedError; nothing is
rounded.  What only the simulation can do, because a Loihi register is narrower, is a note.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from snndeploy.backends.lava.backend import ALLOWED
from snndeploy.connections import Conv, Dense
from snndeploy.errors import UnsupportedError
from snndeploy.network import MEMBRANE_SHIFT, NO_CURRENT_MEMORY, Network, Population, Projection
from snndeploy.neurons import Integrator, Lif, Neuron, Programmed, Relay, Reset
from snndeploy.quantize.kernels import worst_case
from snndeploy.quantize.quantize import LayerQuantization

Sums = Mapping[str, tuple[int, int]]
"""By population: the largest |a| that can arrive, and the largest that is declared."""

BIAS_BITS = 16  # the CPU model stores int16; the chip's register has 13 bits
CONV_BITS = 24  # Lava's Conv wraps its sum at 24 bits
INT8_MAXIMUM = 127  # Lava's Conv stores kernel size, stride, padding and dilation as int8
LONGEST_DELAY = 63
MIXED_LOW, MIXED_HIGH = -256, 255
ONE_SIGN_HIGH = 255


def refuse(node: str, reason: str, advice: str) -> UnsupportedError:
    return UnsupportedError(
        f"{node} cannot be deployed to Lava: {reason}; {advice}", node=node, reason=reason
    )


# --- populations --------------------------------------------------------------------------------


def message_bits(population: Population, sent: np.ndarray | None = None) -> int:
    """Bits of its payloads, sign included; 0 for binary spikes (any payload then counts as 1)."""
    neuron = population.neuron
    if neuron.has_membrane and not neuron.sends_graded:
        return 0
    largest = neuron.payload_bound
    if sent is not None and sent.size:
        low, high = int(sent.min()), int(sent.max())
        largest = max(largest, high, -low)
        if not neuron.on_chip and largest == 1 and low >= 0:
            return 0
    return min(largest.bit_length() + 1, 31)


def factored(values: np.ndarray, bits: int, node: str) -> tuple[np.ndarray, int]:
    """Integers (int64) as mantissa << exponent, exponent as small as the mantissa's bits allow."""
    limit = 1 << (bits - 1)
    exponent = 0
    mantissa = values
    while mantissa.size and (mantissa.max() >= limit or mantissa.min() < -limit):
        if (mantissa & 1).any():
            largest = int(np.abs(values).max())
            raise refuse(
                node,
                f"its bias of up to {largest} needs more than {bits} significant bits",
                "compile it with a larger bias exponent",
            )
        mantissa = mantissa >> 1
        exponent += 1
    return mantissa.astype(np.int16), exponent


def as_process(neuron: Neuron) -> Neuron:
    """The neuron whose Lava process computes it: a soft reset takes a neuron program.

    A `lif` leaks at the start of the next step, a program at the end of this one: what is carried
    over differs, and every spike is the same.
    """
    if not isinstance(neuron, Lif) or neuron.reset is not Reset.SOFT:
        return neuron
    return Programmed(
        neuron.membrane_decay,
        neuron.current_decay,
        threshold=neuron.fires_above,
        reset=Reset.SOFT,
        amount=neuron.reset_amount << MEMBRANE_SHIFT,
    )


def simulation_only(network: Network) -> list[str]:
    """The populations that only processes of ours compute, for which there is no microcode."""
    return [population.name for population in network.populations if _is_ours(population.neuron)]


def _is_ours(neuron: Neuron) -> bool:
    shifts = isinstance(neuron, Relay) and neuron.payload_shift > 0
    return shifts or isinstance(as_process(neuron), Programmed)


def holding_bias(name: str, neuron: Lif, exponent: int) -> int:
    """A mantissa that keeps a neuron with a negative threshold from firing at rest."""
    lowest = -(1 << (BIAS_BITS - 1))
    if lowest << exponent > neuron.threshold << MEMBRANE_SHIFT:
        raise refuse(
            name,
            f"it fires at rest (threshold {neuron.threshold}), before a sample starts",
            "raise its threshold",
        )
    return lowest


# --- projections --------------------------------------------------------------------------------


def check_time(network: Network, projection: Projection) -> None:
    """A projection may read its target's present or past, never its future."""
    if look_back(network, projection) < 0:
        needed = -look_back(network, projection)
        raise refuse(
            projection.name,
            f"its spikes arrive {needed} steps too early",
            f"give it a delay of {projection.delay + needed}",
        )


def look_back(network: Network, projection: Projection) -> int:
    """Aligned steps between what a projection carries and when its target uses it: 0 in step."""
    source, target = network.by_name[projection.source], network.by_name[projection.target]
    return projection.delay + 1 + source.depth - target.depth


def reads_the_past(network: Network) -> bool:
    """True when a sample's first steps could see spikes that were sent before it started."""
    return any(
        look_back(network, projection) > 0
        or (projection.axonal_delay is not None and bool(np.any(projection.axonal_delay)))
        for projection in network.projections
    )


def weights(projection: Projection) -> tuple[np.ndarray, int]:
    """(weight, exponent) as the projection's Lava process gets them."""
    match projection.connection:
        case Conv() as conv:
            return conv_weights(projection, conv)
        case Dense():
            return dense_weights(projection)
    raise ALLOWED.refused_connection(projection)


def conv_weights(projection: Projection, connection: Conv) -> tuple[np.ndarray, int]:
    """(weight, exponent) with exponent >= 0: Lava's Conv gets weight << exponent."""
    if projection.axonal_delay is not None and np.any(projection.axonal_delay):
        raise refuse(
            projection.name,
            "a convolution with axonal delays has no Lava process",
            "use one delay for the whole projection",
        )
    geometry = (
        *connection.weight.shape[2:],
        *connection.stride,
        *connection.padding,
        *connection.dilation,
    )
    if max(geometry) > INT8_MAXIMUM:
        raise refuse(
            projection.name,
            f"its kernel, stride, padding or dilation of {max(geometry)} is beyond Lava's 127",
            "split the layer",
        )
    weight = connection.weight.astype(np.int32)
    if projection.exponent >= 0:
        return weight, projection.exponent
    if (weight & ((1 << -projection.exponent) - 1)).any():
        raise refuse(
            projection.name,
            f"its exponent is {projection.exponent}, and Lava's Conv has none",
            "compile it with an exponent of at least 0",
        )
    return weight >> -projection.exponent, 0


def dense_weights(projection: Projection) -> tuple[np.ndarray, int]:
    """(weight, exponent) that Lava's Dense neither clips nor truncates.

    Of one sign it keeps 8 bits of magnitude.  With mixed signs it keeps even weights within
    [-256, 254]; int8 mantissas m become 2m with exponent - 1.
    """
    weight = projection.connection.weight.astype(np.int32)
    if kept_by_lava(weight):
        return weight, projection.exponent
    if kept_by_lava(2 * weight):
        return 2 * weight, projection.exponent - 1
    shift = trailing_zeros(weight)
    for halvings in (shift, shift - 1):
        if halvings > 0 and kept_by_lava(weight >> halvings):
            return weight >> halvings, projection.exponent + halvings
    raise refuse(
        projection.name,
        f"its weights [{weight.min()}, {weight.max()}] do not fit 8 bits",
        "compile it with 8-bit weights",
    )


def kept_by_lava(weight: np.ndarray) -> bool:
    low, high = int(weight.min()), int(weight.max())
    if low >= 0 or high <= 0:
        return max(-low, high) <= ONE_SIGN_HIGH
    return low >= MIXED_LOW and high <= MIXED_HIGH and not (weight & 1).any()


def trailing_zeros(weight: np.ndarray) -> int:
    """How often all weights can be halved."""
    bits = int(np.bitwise_or.reduce(np.abs(weight), axis=None))
    return (bits & -bits).bit_length() - 1 if bits else 0


def check_delay(projection: Projection) -> None:
    if projection.axonal_delay is None:
        return
    longest = int(np.max(projection.axonal_delay))
    if longest > LONGEST_DELAY:
        raise refuse(
            projection.name,
            f"an axonal delay of {longest} is beyond Loihi's {LONGEST_DELAY}",
            "shorten it",
        )


# --- what the chip's registers would say --------------------------------------------------------


def population_notes(network: Network, population: Population) -> list[str]:
    """Where only the simulation can hold the integers: Loihi's registers are narrower.

    Biases are the program's own, not as `factored` writes them for the simulation.
    """
    neuron = as_process(population.neuron)
    if not isinstance(neuron, Lif | Integrator):
        return []
    notes = []
    if neuron.membrane_decay > 4095:
        notes.append("membrane decay 4096 needs 13 bits; the register has 12")
    if not 1 <= neuron.current_decay <= NO_CURRENT_MEMORY:
        notes.append("a current without decay: the register decays by at least 1/4096")
    if isinstance(neuron, Lif) and not 0 <= neuron.threshold <= 131071:
        notes.append(f"threshold {neuron.threshold} is outside the register's 17 bits")
    if population.bias is not None:
        notes += _bias_notes(population.bias, population.bias_exponent)
    for injection in network.injections_into(population.name):
        if injection.mode == "bias":
            held = np.array([injection.minimum, injection.maximum])
            notes += _bias_notes(held, injection.exponent)
    return [f"{population.name}: {note}" for note in dict.fromkeys(notes)]


def _bias_notes(mantissa: np.ndarray, exponent: int) -> list[str]:
    notes = []
    if mantissa.size and (mantissa.max() > 4095 or mantissa.min() < -4096):
        notes.append("bias mantissas are beyond the register's 13 bits")
    if exponent > 7:
        notes.append(f"bias exponent {exponent} is beyond the register's 3 bits")
    return notes


def sums_of(network: Network, layers: Iterable[LayerQuantization]) -> Sums:
    """The worst-case input sums: as the program's facts have them, else by the same rule."""
    known = {layer.population: (layer.worst_case_sum, layer.sum_limit) for layer in layers}
    return {
        population.name: known.get(population.name) or _sum_of(network, population)
        for population in network.populations
        if population.neuron.on_chip
    }


def _sum_of(network: Network, population: Population) -> tuple[int, int]:
    parts = [
        (p.connection, p.exponent, network.by_name[p.source].neuron.payload_bound)
        for p in network.incoming(population.name)
    ]
    injected = sum(
        max(abs(injection.minimum), abs(injection.maximum)) << max(injection.exponent, 0)
        for injection in network.injections_into(population.name)
        if injection.mode == "graded"
    )
    return worst_case(parts, injected) if parts else injected, population.input_maximum


def sum_notes(sums: Sums) -> list[str]:
    """Where the sum of all synapses could leave the width that the chip declares."""
    return [
        f"{name}: its worst-case input sum {worst:,} exceeds the declared {limit:,}"
        for name, (worst, limit) in sums.items()
        if worst > limit
    ]
