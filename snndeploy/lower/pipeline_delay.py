"""Depths and delays: every synapse takes one chip step, so shorter paths must wait.

depth of a population = 1 + the largest depth of its sources; populations that only the host's
bias drives are at depth 0, those with graded injections at least at 1 (the message takes a step).
Attention over the full window holds what arrives for T steps.
"""

from __future__ import annotations

from dataclasses import replace

from snndeploy.errors import Violation, refusal
from snndeploy.network import Network
from snndeploy.neurons import Relay
from snndeploy.target import Target


def assign_depths(network: Network, target: Target) -> Network:
    """The network with depth on every population and delay on every projection.

    Raises:
        FitError: shortcuts that must wait longer than the target's synapses can, all of them.
    """
    made = delayed(network)
    found = too_long(made, target)
    if found:
        raise refusal(found)
    return made


def delayed(network: Network) -> Network:
    """The network with depths and delays, whatever a target's synapses can wait."""
    depths: dict[str, int] = {}
    for population in network.populations:
        before = [depths[p.source] + 1 for p in network.incoming(population.name)]
        if any(i.mode == "graded" for i in network.injections_into(population.name)):
            before.append(1)
        held = population.depth - population.arrival
        depths[population.name] = max(before, default=0) + held
    projections = []
    for projection in network.projections:
        target_population = network.by_name[projection.target]
        held = target_population.depth - target_population.arrival
        delay = depths[projection.target] - held - depths[projection.source] - 1
        projections.append(replace(projection, delay=delay))
    populations = [replace(p, depth=depths[p.name]) for p in network.populations]
    return replace(network, populations=tuple(populations), projections=tuple(projections))


def too_long(network: Network, target: Target) -> list[Violation]:
    """The projections of a network with delays that wait longer than the target's synapses can."""
    relays = any(isinstance(p.neuron, Relay) for p in network.populations)
    advice = (
        "put fewer layers beside it, or choose a target whose synapses wait longer"
        if relays
        else "use --shortcuts relay, which shortens the shortcut's path"
    )
    return [
        Violation(
            projection.name,
            f" must wait {projection.delay} steps for the longest path beside it; {target.name}"
            f" synapses wait at most {target.delay_max}; {advice}",
            projection.target,
            "waits longer than synapses can",
            size=f"{projection.delay} steps of at most {target.delay_max}",
            advice=advice,
            too_large=True,
        )
        for projection in network.projections
        if projection.delay > target.delay_max
    ]
