"""Memory: what the neurons of a core need of it, against the limits that the target states.

Synapse memory.  A core stores, for each projection into a part of it, lists of weights, each as
long as `target/lists.py` says, headers and padding included.

    convolution, shared   lists are found by the channel and the kernel's offset: a kernel of
                          (channels of the part that the source channel feeds) for each source
                          channel, however many positions the part has.  Lists that the border of
                          a tile cuts short are taken to be part of the full list.
    dense, pooled shared  one list of (neurons of the part) weights for each column of the matrix
                          (channels * pooled rows * pooled columns).
    not shared            one list for each source neuron that reaches the part; lists of
                          convolutions then name their targets (sparse format).

A connection into parts on several cores is stored on each of them; several projections into one
core add up.  An injection brings no synapses.

Core memory, where the target states how much a core has for everything: synapse memory; for each
neuron `neuron_entry_bytes`, or else its registers (membrane, current, a bias of its own) and one
accumulator for each step that a synapse may delay, the next step included; and
`axon_entry_bytes` for each axon, in and out.

Neuron groups are the populations that a core holds some of.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from snndeploy.connections import Connection, Shape
from snndeploy.layout.layout import Tile
from snndeploy.mapping.axons import input_axons, output_axons
from snndeploy.mapping.parts import Box, Part, fed_by_group, parts_of
from snndeploy.network import Network, Population
from snndeploy.target import Target
from snndeploy.target.lists import weight_lists

NEURONS = "neurons"
NEURON_GROUPS = "neuron_groups"
SYNAPSE_MEMORY = "synapse_memory_bytes"
INPUT_AXONS = "input_axons"
OUTPUT_AXONS = "output_axons"
CORE_MEMORY = "core_memory_bytes"


def limits_of(target: Target) -> dict[str, int]:
    """The limits of one core that the target states."""
    stated = {
        NEURONS: target.neurons_per_core,
        NEURON_GROUPS: target.neuron_groups_per_core,
        SYNAPSE_MEMORY: target.synapse_memory_bytes,
        INPUT_AXONS: target.input_axons_per_core,
        OUTPUT_AXONS: target.output_axons_per_core,
        CORE_MEMORY: target.core_memory_bytes,
    }
    return {name: limit for name, limit in stated.items() if limit is not None}


def synapse_bits(connection: Connection, source: Shape, part: Part, target: Target) -> int:
    """Bits that a part needs for one projection into it."""
    each = source[0] // connection.groups
    lists, bits = weight_lists(target), connection.significant_bits
    if connection.shared_lists is None or not target.shared_convolution:
        sizes, counts = np.unique(list_lengths(connection, source, part.boxes), return_counts=True)
        return each * sum(
            int(count) * lists.list_bits(int(size), bits, sparse=connection.sparse)
            for size, count in zip(sizes, counts, strict=True)
        )
    copies, taps = connection.shared_lists
    fed, counts = np.unique(fed_by_group(connection, part), return_counts=True)
    return (each * copies) * sum(
        int(count)
        * (
            lists.kernel_bits(taps, int(channels), bits)
            if connection.has_plane and part.encoding in (None, "conv")
            else lists.list_bits(taps * int(channels), bits, sparse=part.encoding == "sparse")
        )
        for channels, count in zip(fed, counts, strict=True)
    )


def list_lengths(connection: Connection, source: Shape, boxes: Sequence[Box]) -> np.ndarray:
    """Synapses of a source neuron of each group into the boxes, int64 (groups, height, width)."""
    length = np.zeros((connection.groups, *source[1:]), dtype=np.int64)
    for channels, rows, columns in boxes:
        taps = np.outer(
            connection.axis_reach(source, 0, rows), connection.axis_reach(source, 1, columns)
        )
        length += connection.group_reach(channels)[:, None, None] * taps
    return length


def state_bytes(network: Network, population: Population, target: Target) -> int:
    """Bytes of one neuron's registers: membrane, a current that lasts, a bias of its own."""
    registers = population.neuron.state_bits(target)
    own_bias = population.bias is not None and population.bias.ndim == 3
    if own_bias or any(i.mode == "bias" for i in network.injections_into(population.name)):
        registers += target.bias_mantissa_bits
    return -(-registers // 8)


def buffer_bytes(network: Network, population: Population, target: Target) -> int:
    """Bytes of one neuron's accumulators: the next step's, and one for each step of delay."""
    delays = (longest_delay(p.delay, p.axonal_delay) for p in network.incoming(population.name))
    return math.ceil((1 + max(delays, default=0)) * target.accumulator_bits / 8)


def neuron_bytes(network: Network, population: Population, target: Target) -> int:
    """Bytes of core memory that one neuron takes, its synapses apart."""
    if target.neuron_entry_bytes is not None:
        return target.neuron_entry_bytes
    return state_bytes(network, population, target) + buffer_bytes(network, population, target)


def longest_delay(delay: int, axonal: np.ndarray | None) -> int:
    return delay + (int(axonal.max(initial=0)) if axonal is not None else 0)


def part_use(
    network: Network, parts: Sequence[Part], target: Target, sinks: Sequence[Part] = ()
) -> dict[str, np.ndarray]:
    """What every part needs, int64 (parts,) for each limited resource.

    sinks: parts besides, which only receive.
    """
    limits = limits_of(target)
    axons = np.zeros((2, len(parts)), dtype=np.int64)  # in, out
    counted = CORE_MEMORY in limits and target.axon_entry_bytes is not None
    if INPUT_AXONS in limits or counted:
        axons[0] = [input_axons(network, part, target) for part in parts]
    if OUTPUT_AXONS in limits or counted:
        axons[1] = output_axons(network, [*parts, *sinks], target)[: len(parts)]
    known: dict[object, int] = {}
    each = {p.name: neuron_bytes(network, p, target) for p in network.populations}
    shared = {p.name for p in network.populations if _shares_lists(network, p, target)}
    memory = np.zeros(len(parts), dtype=np.int64)
    for index, part in enumerate(parts):
        # shared lists depend on the channels alone
        where: object = part.channels if part.population in shared else part.boxes
        key = (part.population, part.encoding, where)
        if key not in known:
            known[key] = part_memory(network, part, target)
        memory[index] = known[key]
    neurons = np.array([part.neurons for part in parts], dtype=np.int64)
    own = neurons * np.array([each[part.population] for part in parts], dtype=np.int64)
    needed = {
        NEURONS: neurons,
        NEURON_GROUPS: np.ones_like(neurons),
        SYNAPSE_MEMORY: memory,
        INPUT_AXONS: axons[0],
        OUTPUT_AXONS: axons[1],
        CORE_MEMORY: memory + own + (target.axon_entry_bytes or 0) * axons.sum(axis=0),
    }
    return {name: needed[name] for name in limits}


def _shares_lists(network: Network, population: Population, target: Target) -> bool:
    incoming = network.incoming(population.name)
    shared = all(p.connection.shared_lists is not None for p in incoming)
    return target.shared_convolution and shared


def part_memory(network: Network, part: Part, target: Target) -> int:
    """Bytes of synapse memory of a part."""
    bits = sum(
        synapse_bits(p.connection, network.by_name[p.source].shape, part, target)
        for p in network.incoming(part.population)
    )
    return -(-bits // 8)


def tile_use(network: Network, tiles: Sequence[Tile], target: Target) -> dict[str, np.ndarray]:
    """What every tile needs, as if each had a core of its own, int64 (tiles,) a resource."""
    parts = [
        Part(tile.population, index, ((tile.channels, tile.rows, tile.columns),))
        for index, tile in enumerate(tiles)
    ]
    return part_use(network, parts, target)


def core_use(
    network: Network, tiles: Sequence[Tile], cores: int, target: Target
) -> dict[str, np.ndarray]:
    """What every core holds, int64 (cores,) for each limited resource: the sum over its parts."""
    parts = parts_of(tiles)
    core = np.array([part.core for part in parts], dtype=np.int64)
    total = {}
    for name, values in part_use(network, parts, target).items():
        total[name] = np.zeros(cores, dtype=np.int64)
        np.add.at(total[name], core, values)
    return total


def words_by_core(
    network: Network, tiles: Sequence[Tile], cores: int, target: Target
) -> dict[str, np.ndarray]:
    """What every core holds in words of its memory, int64 (cores,): 'neurons', 'input_axons',
    'output_axons' as they are, 'synapse_memory' and 'core_memory' (their sum) in words.

    To compare with what a chip's own compiler prints; of a target that counts in words.
    """
    word_bytes = target.synapse_word_bits // 8
    use = core_use(network, tiles, cores, target)
    return {
        name.removesuffix("_bytes"): values // (word_bytes if name.endswith("_bytes") else 1)
        for name, values in use.items()
    }
