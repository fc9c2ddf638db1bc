"""Replaying a recording with the product's own simulator.

A recording is in chip time: column t - 1 is chip step t, every layer included.  The simulator
returns aligned time: a population at depth d is reset right before chip step d + 1 and its step tau
is chip step tau + d + 1.  Intel's runs reset layer d before chip steps d + 1, d + 1 + P,
d + 1 + 2P ...  (`hardware.md` 6.3), so one recorded layer is

    its first d columns        the chip from zero, before that layer's first reset
    columns d .. d + P - 1     one sample of P steps
    columns d + P ..           the next sample, cut where the recording ends

and each piece is one run of `run_network`.  u is read as the v of a probe: an integrator with the
layer's inputs and current decay, and no memory and no bias of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from populations import altered, make_population

from snndeploy.engines.engine import run_network
from snndeploy.network import Injection, Network

REFRACTORY = 128  # Loihi stores refDelay << 7 in v in the step of a spike


@dataclass(frozen=True)
class Trace:
    """spikes, currents u and membranes v of one layer, (columns, C, H, W)."""

    spikes: np.ndarray
    currents: np.ndarray
    membranes: np.ndarray


def in_chip_time(network: Network, steps: int) -> Network:
    """The same chip from zero without any reset: all depths 0, so each synapse is one step late."""
    populations = tuple(replace(p, depth=0) for p in network.populations)
    return replace(network, timesteps=steps, populations=populations)


def driven_by_spikes(network: Network) -> Network:
    """The first layer's neurons replaced by spikes from outside."""
    source, *others = network.populations
    spikes = make_population(source.name, source.shape, kind="input")
    injection = Injection(source.name, "recording", "spikes")
    return replace(network, populations=(spikes, *others), injections=(injection,))


def probe(name: str) -> str:
    return f"current of {name}"


def with_current_probes(network: Network) -> Network:
    populations, projections = list(network.populations), list(network.projections)
    for population in network.populations:
        incoming = network.incoming(population.name)
        if not incoming:
            continue
        name = probe(population.name)
        memoryless = altered(
            population, name=name, kind="integrator", threshold=0, membrane_decay=4096, bias=None
        )
        populations.append(memoryless)
        projections += [replace(p, name=f"{p.source}->{name}", target=name) for p in incoming]
    return replace(network, populations=tuple(populations), projections=tuple(projections))


def replay(
    network: Network, value: np.ndarray, period: int, columns: int, early: int = 0
) -> dict[str, Trace]:
    """Every layer as a recording of `columns` chip steps with resets.

    value: bias mantissas (C, H, W), or spikes (columns, C, H, W) sent from chip step 1.
    early: the layers behind the input are reset this many steps before their first aligned step,
        so that their samples begin with `early` steps of silence or of the sample before.
    """
    network = with_current_probes(network)
    before = _run(in_chip_time(network, network.depth), value)
    late = np.pad(value, ((early, 0), (0, 0), (0, 0), (0, 0))) if early else value
    samples = [
        _run(replace(network, timesteps=period), late[start:] if late.ndim == 4 else late)
        for start in range(0, columns, period)
    ]
    traces = {}
    for layer in network.populations:
        if layer.neuron.name == "input" or layer.name.startswith(probe("")):
            continue
        pieces = [[part[: max(0, layer.depth - early)] for part in before[layer.name]]]
        pieces += [list(sample[layer.name]) for sample in samples]
        joined = [np.concatenate(parts)[:columns] for parts in zip(*pieces, strict=True)]
        traces[layer.name] = Trace(*joined)
    return traces


def _run(network: Network, value: np.ndarray) -> dict[str, tuple[np.ndarray, ...]]:
    """spikes, currents and membranes of every population that has them, (steps, C, H, W)."""
    if value.ndim == 4:
        missing = max(0, network.timesteps - len(value))
        value = np.pad(value, ((0, missing), (0, 0), (0, 0), (0, 0)))[: network.timesteps]
    names = [p.name for p in network.populations if p.neuron.name in ("lif", "integrator")]
    activity = run_network(network, {0: value[None].astype(np.int32)}, names, names)
    found = {}
    for name in names:
        spikes, membranes = activity.spikes[name][0], activity.membranes[name][0]
        currents = activity.membranes.get(probe(name), np.zeros_like(membranes)[None])[0]
        found[name] = (spikes, currents, membranes)
    return found


def as_recorded(trace: Trace) -> np.ndarray:
    """v with the hardware's refractory mark where the neuron fired."""
    return np.where(trace.spikes > 0, REFRACTORY, trace.membranes)


def chip_order(recorded: np.ndarray) -> np.ndarray:
    """(X, Y, C, columns) or (neurons, columns) as (columns, C, H, W)."""
    if recorded.ndim == 4:
        return recorded.transpose(3, 2, 1, 0)
    return recorded.T[:, :, None, None]
