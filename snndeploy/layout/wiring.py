"""Wiring tables: what one spike causes, for groups of neurons whose spikes cause the same.

Two neurons of a population cause the same messages when they lie on the same core and reach the
same set of cores (a *message group*: the inside of a tile, a strip along its border ...), and the
same synaptic operations when they trigger the same number of synapses at the same cores (a
*synapse group*).  Groups are few, so a step's counts are its spikes summed by group, times small
sparse matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse

from snndeploy.connections import Connection, Range, Shape
from snndeploy.layout.alike import alike
from snndeploy.layout.layout import Layout, Tile
from snndeploy.network import Network, Population

HOST = -1  # in place of a source core


@dataclass(frozen=True, eq=False)
class Wiring:
    """Tables of one population, or of what the host injects into one.

    channels: int64 (segments + 1,) bounds of the channel segments.
    message_group, synapse_group: int32 (segments, height * width): the group of each neuron.
    source: int64 (message groups,): their core, or HOST.
    destinations: csr (message groups, cores), 1 where a spike sends a message.
    synapses: csr (synapse groups, cores), synapses that a spike triggers there.
    """

    channels: np.ndarray
    message_group: np.ndarray
    synapse_group: np.ndarray
    source: np.ndarray
    destinations: sparse.csr_array
    synapses: sparse.csr_array


def population_wiring(network: Network, layout: Layout, population: Population) -> Wiring:
    """Tables of a population's spikes: the union of its outgoing projections."""
    own = layout.tiles_of(population.name)
    outgoing = [
        (p.connection, layout.tiles_of(p.target)) for p in network.outgoing(population.name)
    ]
    profiles = [
        connection.channel_reach(population.shape[0], channels)
        for connection, tiles in outgoing
        for channels in sorted({tile.channels for tile in tiles})
    ]
    profile = np.stack([np.zeros(population.shape[0], dtype=np.int64), *profiles], axis=1)
    bounds = _segments(profile, own)
    classes, class_of = np.unique(profile[bounds[:-1]], axis=0, return_inverse=True)
    representative = bounds[:-1][np.unique(class_of, return_index=True)[1]]  # a channel of each
    parts = [
        _entries(connection, population.shape, tiles, representative)
        for connection, tiles in outgoing
    ]
    table = _table(parts, len(classes), population.shape, layout.cores)
    source = _core_map(own, bounds, population.shape, outside=not population.neuron.on_chip)
    return _grouped(table, bounds, class_of.ravel(), source)


def injection_wiring(layout: Layout, population: Population) -> Wiring:
    """Tables of graded injections: each value goes to the core of its neuron, without a synapse."""
    own = layout.tiles_of(population.name)
    bounds = _segments(np.zeros((population.shape[0], 1)), own)
    core = _core_map(own, bounds, population.shape, outside=False)
    rows = np.arange(core.size)
    table = sparse.csr_array(
        (np.zeros(core.size, dtype=np.int64), (rows, core.ravel())),
        shape=(core.size, layout.cores),
    )
    return _grouped(table, bounds, np.arange(len(core)), np.full_like(core, HOST))


def _segments(profile: np.ndarray, own: Sequence[Tile]) -> np.ndarray:
    """Bounds of channel ranges within which all channels are alike: same profile, same tiles."""
    channels = len(profile)
    changes = np.flatnonzero((profile[1:] != profile[:-1]).any(axis=1)) + 1
    borders = {bound for tile in own for bound in tile.channels}
    return np.array(sorted({0, channels, *borders, *changes.tolist()}), dtype=np.int64)


def _core_map(
    own: Sequence[Tile], bounds: np.ndarray, shape: Shape, *, outside: bool
) -> np.ndarray:
    """Core of each segment and position, int64 (segments, height * width)."""
    core = np.full((len(bounds) - 1, *shape[1:]), HOST, dtype=np.int64)
    for tile in own:
        first, last = np.searchsorted(bounds, tile.channels)
        core[first:last, slice(*tile.rows), slice(*tile.columns)] = tile.core
    assert outside or (core != HOST).all(), "the layout leaves neurons without a core"
    return core.reshape(len(core), -1)


def _entries(
    connection: Connection, source: Shape, tiles: Sequence[Tile], representative: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every (class * positions + position, core, synapses) of one projection, each int64."""
    fed_by_range = {
        channels: connection.channel_reach(source[0], channels)[representative]
        for channels in {tile.channels for tile in tiles}
    }
    fed = np.array([fed_by_range[tile.channels] for tile in tiles])  # (tiles, classes)
    tile, klass = np.nonzero(fed.reshape(len(tiles), len(representative)))
    core = np.array([t.core for t in tiles], dtype=np.int64)[tile]
    y, y_taps, y_first, y_count = _axis_lists(connection, source, 0, [t.rows for t in tiles])
    x, x_taps, x_first, x_count = _axis_lists(connection, source, 1, [t.columns for t in tiles])
    sizes = y_count[tile] * x_count[tile]
    owner = np.repeat(np.arange(len(tile)), sizes)
    within = np.arange(len(owner)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    tile, width = tile[owner], x_count[tile][owner]
    row, column = y_first[tile] + within // width, x_first[tile] + within % width
    klass = klass[owner]
    positions = source[1] * source[2]
    neuron = klass * positions + y[row] * source[2] + x[column]
    return neuron, core[owner], y_taps[row] * x_taps[column] * fed[tile, klass]


def _axis_lists(
    connection: Connection, source: Shape, axis: int, ranges: Sequence[Range]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Source positions that each range reads, end to end, and their taps; first index and count."""
    distinct = sorted(set(ranges))
    number = {part: index for index, part in enumerate(distinct)}
    reach = np.array([connection.axis_reach(source, axis, part) for part in distinct])
    owner, positions = np.nonzero(reach)
    counts = np.bincount(owner, minlength=len(distinct))
    which = np.array([number[part] for part in ranges], dtype=np.int64)
    first = (np.cumsum(counts) - counts)[which]
    return positions, reach[owner, positions].astype(np.int64), first, counts[which]


def _table(
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]], classes: int, shape: Shape, cores: int
) -> sparse.csr_array:
    """Synapses of each (class, position) at each core; csr (classes * positions, cores)."""
    empty = np.zeros(0, dtype=np.int64)
    neuron, core, synapses = (
        (np.concatenate([empty, *column]) for column in zip(*parts, strict=True))
        if parts
        else (empty, empty, empty)
    )
    size = (classes * shape[1] * shape[2], cores)
    table = sparse.coo_array((synapses, (neuron, core)), shape=size).tocsr()
    table.sort_indices()
    return table


def _grouped(
    table: sparse.csr_array, bounds: np.ndarray, class_of: np.ndarray, source: np.ndarray
) -> Wiring:
    """Group the neurons (segment, position) by what they cause.

    table: csr (classes * positions, cores); class_of: class of each segment; source: core map.
    """
    positions = source.shape[1]
    row = class_of[:, None] * positions + np.arange(positions)  # (segments, positions)
    reach_id, _ = alike(table, with_values=False)
    synapse_id, synapse_row = alike(table, with_values=True)
    reach_of = reach_id[row].ravel()
    keys = (source.ravel() - HOST) * (reach_id.max(initial=0) + 1) + reach_of
    _, first, group = np.unique(keys, return_index=True, return_inverse=True)
    destinations = table[row.ravel()[first]]
    destinations.data = np.ones_like(destinations.data)
    return Wiring(
        channels=bounds,
        message_group=group.reshape(source.shape).astype(np.int32),
        synapse_group=synapse_id[row].astype(np.int32),
        source=source.ravel()[first],
        destinations=destinations,
        synapses=table[synapse_row],
    )
