"""Channels that never fire: no input can lift them over the threshold within T steps.

Sources before targets, so that what only silent channels reach is found silent as well.  A relay's
channel is silent when its payload is zero whatever arrives.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from snndeploy.network import SILENT, Network, Population
from snndeploy.reduce.bounds import Range, drive, payloads, sums
from snndeploy.reduce.drop import Pass, drop, fixed, staying, whole_groups


def drop_silent(network: Network) -> Pass:
    """The network without the channels that are proved silent."""
    return take_silent(network, proved_silent(network), proved=True)


def take_silent(network: Network, silence: Mapping[str, np.ndarray], *, proved: bool) -> Pass:
    """The network without the channels that `silence` marks, bool (channels,) by population."""
    places = {}
    for population in network.populations:
        mask = silence.get(population.name)
        if mask is not None and mask.any() and not fixed(network, population):
            places[population.name] = np.where(mask, SILENT, staying(population))
    whole, skips = whole_groups(network, places)
    dropped = drop(network, whole, proved)
    return Pass(dropped.network, dropped.removals, tuple(skips))


def proved_silent(network: Network) -> dict[str, np.ndarray]:
    """Channels that send nothing for any input, bool (channels,) by population."""
    sent: dict[str, Range] = {}
    found: dict[str, np.ndarray] = {}
    for population in network.populations:
        sent[population.name] = _sent(network, population, sent)
        if population.neuron.on_chip and population.neuron.sends:
            both = sent[population.name]
            found[population.name] = (both.low == 0) & (both.high == 0)
    return found


def _sent(network: Network, population: Population, sent: Mapping[str, Range]) -> Range:
    """What each channel can send, given what its sources can."""
    if not population.neuron.on_chip or population.attention:
        return payloads(population)
    sends = population.neuron.payload_range(
        drive(network, population, sums(network, population, sent))
    )
    low, high = (np.broadcast_to(end, population.shape) for end in sends)
    return Range(low.min(axis=(1, 2)), high.max(axis=(1, 2)))
