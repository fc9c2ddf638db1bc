"""Depths and delays: every synapse takes one chip step, so shorter paths must wait.

depth of a population = 1 + the largest depth of its sources; populations that only the host's
bias drives are at depth 0, those with graded injections at least at 1 (the message takes a step).
Attention over the full window holds what arrives for T steps.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from snndeploy.connections import Shape
from snndeploy.errors import Violation, refusal
from snndeploy.lower.real_network import Term
from snndeploy.network import Network, Projection
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
        incoming = network.incoming(population.name)
        before = [depths[p.source] + 1 for p in incoming if p.source in depths]
        if any(i.mode == "graded" for i in network.injections_into(population.name)):
            before.append(1)
        held = population.depth - population.arrival
        depths[population.name] = max(before, default=0) + held
    order = {p.name: index for index, p in enumerate(network.populations)}
    projections = []
    for projection in network.projections:
        target_population = network.by_name[projection.target]
        if order[projection.source] >= order[projection.target]:
            projections.append(projection)  # recurrent: what was sent arrives a step later
            continue
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
            f" must wait {waits(projection)} steps for {_why(projection)}; {target.name}"
            f" synapses wait at most {target.delay_max}; {advice}",
            projection.target,
            "waits longer than synapses can",
            size=f"{waits(projection)} steps of at most {target.delay_max}",
            advice=advice,
            too_large=True,
        )
        for projection in network.projections
        if waits(projection) > target.delay_max
    ]


def own_delay(term: Term, source: Shape) -> np.ndarray | None:
    """The model's own delay of a term, int32, one number a source neuron; None: it has none."""
    return np.full(prod(source), term.delay, dtype=np.int32) if term.delay else None


def waits(projection: Projection) -> int:
    """Most steps that a spike waits, the model's own delay with those of the path."""
    own = 0 if projection.axonal_delay is None else int(np.max(projection.axonal_delay, initial=0))
    return projection.delay + own


def _why(projection: Projection) -> str:
    path = "the longest path beside it"
    if projection.axonal_delay is None:
        return path
    return f"{path} and the model's delay" if projection.delay else "the model's delay"
