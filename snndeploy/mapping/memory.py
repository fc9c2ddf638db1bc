"""Memory and axons: what a box of neurons needs of its core.

Synapse memory.  A core stores, for each projection into a tile of it, lists of weights: one list
an axon, each of them `target.synapse_bits(length)` long, headers and padding included.

    convolution, shared   a population axon carries the channel, and a list is found by the channel
                          and the kernel's offset: one list of kernel_h * kernel_w * (channels of
                          the tile that the source channel feeds) weights for each source channel,
                          however many positions the tile has.  Lists that the border of a tile
                          cuts short are taken to be part of the full list.
    dense, pooled shared  one list of (neurons of the tile) weights for each column of the matrix
                          (channels * pooled rows * pooled columns).
    not shared            one list for each source neuron that reaches the tile; convolution lists
                          then name their targets (sparse format).

A connection into tiles on several cores is stored on each of them; several projections into one
core add up.  An injection brings no synapses.

Axons.  A projection needs on the target's core one input axon for each source position that
reaches the tile where the connection is shared by position (convolution, pooled dense), else one
for each source neuron.  A graded injection needs one for each position of the tile.  The source's
core needs one output axon for each such position (or neuron) and destination tile.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snndeploy.mapping.layout import Tile
from snndeploy.mapping.reach import (
    Range,
    axis_reach,
    axis_table,
    group_reach,
    is_shared_by_position,
)
from snndeploy.network import Connection, Conv, Network, Projection, Shape
from snndeploy.target import Target

NEURONS = "neurons"
SYNAPSE_MEMORY = "synapse_memory_bytes"
INPUT_AXONS = "input_axons"
OUTPUT_AXONS = "output_axons"


def limits_of(target: Target) -> dict[str, int]:
    """The limits of one core that the target states."""
    stated = {
        NEURONS: target.neurons_per_core,
        SYNAPSE_MEMORY: target.synapse_memory_bytes,
        INPUT_AXONS: target.input_axons_per_core,
        OUTPUT_AXONS: target.output_axons_per_core,
    }
    return {name: limit for name, limit in stated.items() if limit is not None}


def synapse_bits(
    connection: Connection, source: Shape, tile: tuple[Range, Range, Range], target: Target
) -> int:
    """Bits that a tile (channels, rows, columns) needs for one projection into it."""
    channels, rows, columns = tile
    fed = group_reach(connection, channels)  # per group
    per_group = source[0] // len(fed)
    if target.shared_convolution:
        kernel = connection.weight.shape[2] * connection.weight.shape[3]
        if isinstance(connection, Conv):
            sizes, groups = np.unique(fed, return_counts=True)
            return per_group * sum(
                int(count) * target.synapse_bits(kernel * int(n))
                for n, count in zip(sizes, groups, strict=True)
            )
        return connection.weight[0].size * target.synapse_bits(int(fed[0]))
    taps = np.outer(
        axis_reach(connection, source, 0, rows), axis_reach(connection, source, 1, columns)
    )
    lengths, positions = np.unique(taps[taps > 0], return_counts=True)
    sparse = isinstance(connection, Conv)
    return per_group * sum(
        int(count) * target.synapse_bits(int(length) * int(n), sparse=sparse)
        for n in fed
        for length, count in zip(lengths, positions, strict=True)
    )


def input_axons(connection: Connection, source: Shape, tile: tuple[Range, Range, Range]) -> int:
    """Input axons that a tile (channels, rows, columns) needs for one projection into it."""
    channels, rows, columns = tile
    if not group_reach(connection, channels).any():
        return 0
    reached = [
        int(np.count_nonzero(axis_reach(connection, source, axis, part)))
        for axis, part in enumerate((rows, columns))
    ]
    each = 1 if is_shared_by_position(connection) else source[0]
    return reached[0] * reached[1] * each


def destination_planes(
    projection: Projection, source: Shape, tiles: Sequence[Tile]
) -> dict[Range, np.ndarray]:
    """Tiles that each source position reaches, by the tiles' channel range.

    tiles: those of the projection's target.  Planes are int64 (height, width); which of the
    source's channels reach a channel range is a matter of groups (`feeds`).
    """
    tables = [axis_table(projection.connection, source, axis) for axis in (0, 1)]
    by_channels: dict[Range, list[Tile]] = {}
    for tile in tiles:
        by_channels.setdefault(tile.channels, []).append(tile)
    return {
        channels: _plane(tables, [(t.rows, t.columns) for t in members])
        for channels, members in by_channels.items()
    }


def _plane(tables: list[np.ndarray], boxes: list[tuple[Range, Range]]) -> np.ndarray:
    """Boxes of target positions that read each source position, int64 (height, width)."""
    bounds = np.array(boxes)  # (boxes, axis, 2)
    reached = [
        (table[bounds[:, axis, 1]] > table[bounds[:, axis, 0]]).astype(np.float64)
        for axis, table in enumerate(tables)
    ]
    plane: np.ndarray = np.rint(reached[0].T @ reached[1]).astype(np.int64)
    return plane


def feeds(connection: Connection, source: Shape, channels: Range, sink: Range) -> bool:
    """Whether any source channel of a range feeds a target channel of a range."""
    fed = group_reach(connection, sink)
    per_group = source[0] // len(fed)
    return bool(fed[channels[0] // per_group : (channels[1] - 1) // per_group + 1].any())


def output_plane(
    projection: Projection, source: Shape, channels: Range, planes: dict[Range, np.ndarray]
) -> np.ndarray:
    """Output axons of each position of a source tile with these channels, int64 (height, width)."""
    connection = projection.connection
    each = 1 if is_shared_by_position(connection) else channels[1] - channels[0]
    total = np.zeros(source[1:], dtype=np.int64)
    for sink, plane in planes.items():
        if feeds(connection, source, channels, sink):
            total += each * plane
    return total


def output_axons(network: Network, tiles: Sequence[Tile]) -> np.ndarray:
    """Output axons of every tile, int64 (tiles,), as if each tile had a core of its own."""
    by_population: dict[str, list[Tile]] = {}
    index_of: dict[str, list[int]] = {}
    for index, tile in enumerate(tiles):
        by_population.setdefault(tile.population, []).append(tile)
        index_of.setdefault(tile.population, []).append(index)
    total = np.zeros(len(tiles), dtype=np.int64)
    for name, sources in by_population.items():
        shape = network.by_name[name].shape
        plane_of = {tile.channels: np.zeros(shape[1:], dtype=np.int64) for tile in sources}
        for projection in network.outgoing(name):
            planes = destination_planes(projection, shape, by_population.get(projection.target, []))
            for channels in plane_of:
                plane_of[channels] += output_plane(projection, shape, channels, planes)
        total[index_of[name]] = [
            int(plane_of[t.channels][slice(*t.rows), slice(*t.columns)].sum()) for t in sources
        ]
    return total


def tile_use(network: Network, tiles: Sequence[Tile], target: Target) -> dict[str, np.ndarray]:
    """What every tile needs, int64 (tiles,) for each limited resource."""
    use = {
        NEURONS: np.array([tile.neurons for tile in tiles], dtype=np.int64),
        SYNAPSE_MEMORY: np.zeros(len(tiles), dtype=np.int64),
    }
    stated = limits_of(target)
    if INPUT_AXONS in stated:
        use[INPUT_AXONS] = np.zeros(len(tiles), dtype=np.int64)
    if OUTPUT_AXONS in stated:
        use[OUTPUT_AXONS] = output_axons(network, tiles)
    known: dict[tuple[int, tuple[Range, ...]], int] = {}
    for index, tile in enumerate(tiles):
        box = (tile.channels, tile.rows, tile.columns)
        memory_key: tuple[Range, ...] = (tile.channels,) if target.shared_convolution else box
        bits = 0
        for projection in network.incoming(tile.population):
            source = network.by_name[projection.source].shape
            key = (id(projection), memory_key)
            if key not in known:
                known[key] = synapse_bits(projection.connection, source, box, target)
            bits += known[key]
            if INPUT_AXONS in stated:
                use[INPUT_AXONS][index] += input_axons(projection.connection, source, box)
        use[SYNAPSE_MEMORY][index] = -(-bits // 8)
        if INPUT_AXONS in stated:
            graded = sum(i.mode == "graded" for i in network.injections_into(tile.population))
            use[INPUT_AXONS][index] += graded * tile.neurons // (box[0][1] - box[0][0])
    return use


def core_use(
    network: Network, tiles: Sequence[Tile], cores: int, target: Target
) -> dict[str, np.ndarray]:
    """What every core holds, int64 (cores,) for each limited resource: the sum over its tiles."""
    core = np.array([tile.core for tile in tiles], dtype=np.int64)
    total = {}
    for name, values in tile_use(network, tiles, target).items():
        total[name] = np.zeros(cores, dtype=np.int64)
        np.add.at(total[name], core, values)
    return total
