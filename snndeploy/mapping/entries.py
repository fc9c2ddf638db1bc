"""Entries of Loihi 2's axon tables, as Intel's compiler was seen to take them.

    AxonIn    a convolution into a core: one for each piece of the core's channels (`pieces`),
              however many cores and positions send to it; a dense layer: one for each source
              neuron;
              a core that no synapse reaches: one.
    AxonMap   a population that only convolutions read: one for each position and piece of its
              channels on the core, whether a synapse needs the position or not; any other: one for
              each neuron.

Both give the printed means of every layer of PilotNet (`tests/mapping/test_entries.py`).  What was
not seen is inferred: several projections into a core have entries of their own; values of the host
come through one entry a piece; a dense layer that shares its weights over pooling windows has one
for each source position, as with Loihi 1's population axons.

AxonMem, the lists of neurons that send to several cores, is not counted: its numbers are printed,
but no rule was found that gives them.  PilotNet's cores take at most 731 of 16,000.
"""

from __future__ import annotations

from snndeploy.mapping.parts import Part, fed_by_group, reached_positions
from snndeploy.network import Network
from snndeploy.target.lists import pieces


def input_entries(network: Network, part: Part) -> int:
    """AxonIn entries of a part: its projections', and its graded injections'."""
    total = 0
    for projection in network.incoming(part.population):
        connection, source = projection.connection, network.by_name[projection.source].shape
        if connection.has_plane and connection.shared_lists is not None:
            total += _pieces(part)
            continue
        each = 1
        if not connection.shared_by_position:
            fed = fed_by_group(connection, part)
            each = source[0] // len(fed) * int((fed > 0).sum())
        total += each * reached_positions(connection, source, part)
    graded = sum(i.mode == "graded" for i in network.injections_into(part.population))
    return max(1, total + graded * _pieces(part))


def output_entries(network: Network, part: Part) -> int:
    """AxonMap entries of a part."""
    return part.positions * _pieces(part) if by_position(network, part) else part.neurons


def by_position(network: Network, part: Part) -> bool:
    """Whether the channels of a position share entries: all that read the population convolve."""
    outgoing = network.outgoing(part.population)
    return bool(outgoing) and all(p.connection.shared_by_position for p in outgoing)


def _pieces(part: Part) -> int:
    return len(pieces(sum(stop - start for start, stop in part.channels)))
