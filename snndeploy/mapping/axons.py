"""Axons: the entries of a core's routing tables, counted as the target encodes them.

blocks (Loihi 1).  A projection needs on the target's core one input axon for each source position
that reaches the core where the connection is shared by position (convolution, pooled dense), else
one for each source neuron.  A graded injection needs one for each position of the core.  The
source's core needs one output axon for each such position (or neuron) and destination core.
Output axons are counted as if different populations never shared a core.

words (Loihi 2).  `entries.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snndeploy.connections import Connection, Range, Shape
from snndeploy.mapping.entries import input_entries, output_entries
from snndeploy.mapping.parts import (
    Part,
    count_plane,
    fed_by_group,
    held_plane,
    reached_plane,
    reached_positions,
)
from snndeploy.network import Network, Projection
from snndeploy.target import Target


def input_axons(network: Network, part: Part, target: Target) -> int:
    """Input axons of a part: its projections', and its graded injections'."""
    if target.encoding == "words":
        return input_entries(network, part)
    total = 0
    for projection in network.incoming(part.population):
        connection, source = projection.connection, network.by_name[projection.source].shape
        each = 1
        if not connection.shared_by_position:
            fed = fed_by_group(connection, part)
            each = source[0] // len(fed) * int(np.count_nonzero(fed))
        total += each * reached_positions(connection, source, part)
    graded = sum(i.mode == "graded" for i in network.injections_into(part.population))
    return total + graded * part.positions


def feeds(connection: Connection, source: Shape, channels: Range, sink: Range) -> bool:
    """Whether any source channel of a range feeds a target channel of a range."""
    fed = connection.group_reach(sink)
    per_group = source[0] // len(fed)
    return bool(fed[channels[0] // per_group : (channels[1] - 1) // per_group + 1].any())


def destination_planes(
    projection: Projection, source: Shape, parts: Sequence[Part]
) -> dict[tuple[Range, ...], np.ndarray]:
    """Target parts that each source position reaches, by the parts' channel ranges.

    parts: those of the projection's target.  Planes are int64 (height, width); which of the
    source's channels reach a channel range is a matter of groups (`feeds`).
    """
    by_channels: dict[tuple[Range, ...], list[Part]] = {}
    for part in parts:
        by_channels.setdefault(part.channels, []).append(part)
    return {
        channels: count_plane(projection.connection, source, members)
        for channels, members in by_channels.items()
    }


def output_plane(
    projection: Projection,
    source: Shape,
    channels: Range,
    planes: dict[tuple[Range, ...], np.ndarray],
) -> np.ndarray:
    """Output axons of each position of a source box with these channels, int64 (height, width)."""
    connection = projection.connection
    each = 1 if connection.shared_by_position else channels[1] - channels[0]
    total = np.zeros(source[1:], dtype=np.int64)
    for sinks, plane in planes.items():
        if any(feeds(connection, source, channels, sink) for sink in sinks):
            total += each * plane
    return total


def output_axons(network: Network, parts: Sequence[Part], target: Target) -> np.ndarray:
    """Output axons of every part, int64 (parts,)."""
    if target.encoding == "words":
        return np.array([output_entries(network, part) for part in parts], dtype=np.int64)
    index_of: dict[str, list[int]] = {}
    for index, part in enumerate(parts):
        index_of.setdefault(part.population, []).append(index)
    total = np.zeros(len(parts), dtype=np.int64)
    for name, own in index_of.items():
        for projection in network.outgoing(name):
            sinks = [parts[index] for index in index_of.get(projection.target, [])]
            sources = [parts[index] for index in own]
            total[own] += _of_projection(projection, network.by_name[name].shape, sources, sinks)
    return total


def _of_projection(
    projection: Projection, shape: Shape, sources: Sequence[Part], sinks: Sequence[Part]
) -> np.ndarray:
    boxes = max((len(part.boxes) for part in (*sources, *sinks)), default=0)
    if boxes > 1 and projection.connection.groups > 1:
        return _of_grouped_strips(projection.connection, shape, sources, sinks)
    planes = destination_planes(projection, shape, sinks)
    if projection.connection.shared_by_position:
        plane_of = {
            channels: output_plane(projection, shape, channels, planes)
            for channels in {part.boxes[0][0] for part in sources}
        }
        return np.array(
            [_held_sum(plane_of[part.boxes[0][0]], part) for part in sources], dtype=np.int64
        )
    everywhere: np.ndarray = np.sum([np.zeros(shape[1:], np.int64), *planes.values()], axis=0)
    return np.array(
        [
            sum(
                (box[0][1] - box[0][0]) * int(everywhere[slice(*box[1]), slice(*box[2])].sum())
                for box in part.boxes
            )
            for part in sources
        ],
        dtype=np.int64,
    )


def _held_sum(plane: np.ndarray, part: Part) -> int:
    """Sum of a plane over the positions that hold some neuron of the part."""
    if len(part.boxes) == 1:
        _, rows, columns = part.boxes[0]
        return int(plane[slice(*rows), slice(*columns)].sum())
    return int(plane[held_plane((0, *plane.shape), part.boxes)].sum())


def _of_grouped_strips(
    connection: Connection, shape: Shape, sources: Sequence[Part], sinks: Sequence[Part]
) -> np.ndarray:
    """Grouped convolutions between parts of several boxes: every pair of boxes is looked at."""
    found = np.zeros(len(sources), dtype=np.int64)
    held = [[held_plane(shape, [box]) for box in part.boxes] for part in sources]
    for sink in sinks:
        reached = [reached_plane(connection, shape, [box]) for box in sink.boxes]
        for index, part in enumerate(sources):
            positions = np.zeros(shape[1:], dtype=bool)
            for own, box in zip(held[index], part.boxes, strict=True):
                for plane, target in zip(reached, sink.boxes, strict=True):
                    if feeds(connection, shape, box[0], target[0]):
                        positions |= own & plane
            found[index] += int(positions.sum())
    return found
