"""Advice: the smallest change with which a network would fit a target, each one tried.

    fewer channels   every hidden layer with the same share of its channels
    fewer bits       narrower weights, for targets whose memory is what binds
    another board    the smallest shipped target that holds the network as it is

A trial maps the network's structure in the fewest cores; nothing is simulated or annealed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from snndeploy.errors import DeployError
from snndeploy.mapping.assign import assign
from snndeploy.mapping.checks import check_neurons
from snndeploy.mapping.cut import Cutter
from snndeploy.network import Network, Population, Projection
from snndeploy.shelf import target_names
from snndeploy.target import Target

_CORE_SIZES = ("neurons_per_core", "synapse_memory_bytes", "input_axons_per_core")
SHARES = 16  # channels are tried in sixteenths


@dataclass(frozen=True)
class Suggestion:
    """A change that makes the network fit.

    kind: 'channels', 'bits' or 'target'; value: the share of the channels kept, the bits of a
    weight, or the target's name.
    """

    kind: str
    value: float | int | str
    text: str


def cores_needed(network: Network, target: Target) -> int | None:
    """The fewest cores of a tiling; None where it does not fit."""
    try:
        check_neurons(network, target)
        tiles = assign(network, target, Cutter(network, target, {}).grids())
    except DeployError:
        return None
    cores = 1 + max((tile.core for tile in tiles), default=-1)
    return cores if cores <= target.max_chips * target.cores_per_chip else None


def suggestions(network: Network, target: Target) -> tuple[Suggestion, ...]:
    """Changes that were tried and fit, the smallest of each kind."""
    found = (fewer_channels(network, target), fewer_bits(network, target), other(network, target))
    return tuple(suggestion for suggestion in found if suggestion is not None)


def advice_text(network: Network, target: Target) -> str:
    """The suggestions in a sentence; nothing where none was found."""
    return sentence(suggestions(network, target))


def sentence(found: Sequence[Suggestion]) -> str:
    """Suggestions in a sentence; nothing where there are none."""
    if not found:
        return ""
    return f"It would fit with {', or '.join(suggestion.text for suggestion in found)}."


def fewer_channels(network: Network, target: Target) -> Suggestion | None:
    """The largest share of the hidden channels that fits."""

    def fits(sixteenths: int) -> bool:
        return cores_needed(thinner(network, sixteenths / SHARES), target) is not None

    most = _largest(fits, 1, SHARES - 1)
    if most is None:
        return None
    text = f"{most}/{SHARES} of the channels in every hidden layer"
    return Suggestion("channels", most / SHARES, text)


def fewer_bits(network: Network, target: Target) -> Suggestion | None:
    """The most bits a weight that fit."""

    def fits(bits: int) -> bool:
        return cores_needed(network, replace(target, bits_per_synapse=bits)) is not None

    most = _largest(fits, 1, target.bits_per_synapse - 1)
    if most is None:
        return None
    text = f"weights of {most} bit{'s' * (most > 1)} instead of {target.bits_per_synapse}"
    return Suggestion("bits", most, text)


def other(network: Network, target: Target) -> Suggestion | None:
    """A shipped target that holds the network: the same chip on another board, else the fewest."""
    best: tuple[bool, int, int, str] | None = None
    for name in target_names():
        other_target = Target.load(name)
        if name == target.name or other_target.not_compiled:
            continue
        room = other_target.cores_per_chip * other_target.max_chips
        if room * other_target.neurons_per_core < network.neurons:
            continue
        cores = cores_needed(network, other_target)
        if cores is not None:
            chips = -(-cores // other_target.cores_per_chip)
            key = (not _same_chip(target, other_target), chips, other_target.max_chips, name)
            best = min(best, key) if best else key
    if best is None:
        return None
    _, chips, _, name = best
    return Suggestion("target", name, f"target {name} ({chips:,} chip{'s' * (chips > 1)})")


def _same_chip(first: Target, second: Target) -> bool:
    sizes = ("cores_per_chip", "mesh_width", "mesh_height", *_CORE_SIZES)
    return all(getattr(first, name) == getattr(second, name) for name in sizes)


def thinner(network: Network, share: float) -> Network:
    """The network's structure with a share of the channels of every hidden population.

    The host's inputs and the readout keep theirs; weights are zeros that take no memory.
    """
    ends = {p.name for p in network.populations if not network.outgoing(p.name)}
    ends |= {readout.population for readout in network.readouts}
    channels = {
        p.name: p.shape[0]
        if not p.neuron.on_chip or p.name in ends
        else max(1, math.ceil(share * p.shape[0]))
        for p in network.populations
    }
    populations = [_thinner_population(p, channels[p.name]) for p in network.populations]
    projections = [
        _thinner_projection(p, network.by_name[p.source], channels) for p in network.projections
    ]
    return replace(network, populations=tuple(populations), projections=tuple(projections))


def _thinner_population(population: Population, channels: int) -> Population:
    bias = population.bias
    if bias is not None:
        bias = np.broadcast_to(np.int32(0), (channels, *bias.shape[1:]))
    return replace(population, shape=(channels, *population.shape[1:]), bias=bias)


def _thinner_projection(
    projection: Projection, source: Population, channels: dict[str, int]
) -> Projection:
    connection = projection.connection
    before, after = channels[projection.source], channels[projection.target]
    groups = connection.groups
    if groups > 1:  # depthwise stays depthwise; other groups stay as many as divide the channels
        groups = math.gcd(math.gcd(before, after), before if groups == source.shape[0] else groups)
    shape = (after, before // groups, *connection.weight.shape[2:])
    weight = np.broadcast_to(np.int8(0), shape)
    thin = connection.with_weight(weight, groups)
    delays = None if projection.axonal_delay is None else np.zeros(0, dtype=np.int64)
    return replace(projection, connection=thin, axonal_delay=delays)


def _largest(fits: Callable[[int], bool], low: int, high: int) -> int | None:
    """The largest number that fits, by bisection; None where not even the lowest does."""
    if high < low or not fits(low):
        return None
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low
