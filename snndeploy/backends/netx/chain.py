"""A Network as the straight chain of layers that a `.net` file can hold, or the reason why not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snndeploy.errors import UnsupportedError
from snndeploy.network import Injection, Network, Population, Projection
from snndeploy.neurons import Integrator, Lif

LARGEST_THRESHOLD = 131071  # 17 bit register (lava/proc/lif/models.py)
LARGEST_DELAY = 62  # netx/hdf5.py, max_delay of DelayDense
LARGEST_BIAS = (1 << 15) - 1  # lava/proc/lif/models.py stores bias_mant in int16
CHIP_BIAS = (1 << 12) - 1  # its declared 13 bits
NETX_BIAS_EXPONENT = 6  # netx/hdf5.py get_neuron_params


@dataclass(frozen=True, eq=False)
class Link:
    """One layer: a population, the projection into it and, for dense_rec, the one onto itself."""

    population: Population
    forward: Projection
    recurrent: Projection | None = None


def unsupported(population: str, reason: str) -> UnsupportedError:
    return UnsupportedError(f"population {population!r}: {reason}", node=population, reason=reason)


def chain(network: Network) -> tuple[Population, tuple[Link, ...]]:
    """The source population and the layers behind it, in order; checked."""
    source = _source(network)
    links: list[Link] = []
    current = source
    while True:
        _check_neuron(network, current)
        following = [p for p in network.outgoing(current.name) if p.target != current.name]
        if not following:
            break
        link = _link(network, current, following)
        links.append(link)
        current = link.population
    left = [p.name for p in network.populations if p.name not in _names(source, links)]
    if left:
        raise unsupported(left[0], f"is not on the chain from {source.name!r}; {_NO_BRANCHES}")
    if not links:
        raise unsupported(source.name, "is alone; a .net file needs a layer behind the input")
    return source, tuple(links)


def axon_delays(link: Link, source: Population) -> np.ndarray | None:
    """Steps beyond the one of every synapse, one a source neuron; None when all are zero."""
    delays = np.full(source.neurons, link.forward.delay, dtype=np.int64)
    if link.forward.axonal_delay is not None:
        delays += np.asarray(link.forward.axonal_delay, dtype=np.int64).ravel()
    if not delays.any():
        return None
    if delays.max() > LARGEST_DELAY:
        raise unsupported(
            link.population.name, f"has inputs delayed by {delays.max()}; NetX stops at 62"
        )
    return delays


def bias_mantissas(population: Population, round_biases: bool) -> tuple[np.ndarray | None, str]:
    """The bias in NetX's units (exponent 6), int32 as stored in the population, and a note."""
    if population.bias is None or not np.any(population.bias):
        return None, ""
    value = np.asarray(population.bias, dtype=np.int64)
    exponent = population.bias_exponent
    value = value << exponent if exponent >= 0 else value >> -exponent
    mantissa = np.rint(value / (1 << NETX_BIAS_EXPONENT)).astype(np.int64)
    lost = int(np.abs((mantissa << NETX_BIAS_EXPONENT) - value).max())
    if lost and not round_biases:
        raise unsupported(
            population.name,
            f"has biases that are not multiples of 64 (off by up to {lost}); a .net file stores "
            "biases with exponent 6. round_biases=True rounds them, and the results may differ",
        )
    largest = int(np.abs(mantissa).max())
    if largest > LARGEST_BIAS:
        raise unsupported(
            population.name, f"has bias mantissa {largest}; Lava wraps above {LARGEST_BIAS}"
        )
    notes = []
    if lost:
        notes.append(f"biases rounded by up to {lost} (64 is one threshold unit): not bit-exact")
    if largest > CHIP_BIAS:
        notes.append(f"bias mantissa {largest} exceeds the chip's 13 bits: simulation only")
    note = f"{population.name}: {'; '.join(notes)}" if notes else ""
    return mantissa.astype(np.int32), note


def input_injection(network: Network, source: Population) -> Injection | None:
    """How the host drives the source: its one injection (None: nothing, the bias alone)."""
    injections = network.injections_into(source.name)
    if len(injections) > 1:
        raise unsupported(source.name, f"has {len(injections)} injections; NetX offers one input")
    return injections[0] if injections else None


_NO_BRANCHES = "a .net file holds one straight chain of layers, no residual or branching paths"


def _names(source: Population, links: list[Link]) -> set[str]:
    return {source.name, *(link.population.name for link in links)}


def _source(network: Network) -> Population:
    sources = [
        p for p in network.populations if all(q.source == p.name for q in network.incoming(p.name))
    ]
    if len(sources) != 1:
        named = ", ".join(repr(p.name) for p in sources[:3])
        raise UnsupportedError(f"the network has {len(sources)} inputs ({named}); {_NO_BRANCHES}")
    source = sources[0]
    if network.incoming(source.name):
        raise unsupported(source.name, "is recurrent without an input; no .net layer says that")
    if source.depth:
        raise unsupported(source.name, f"starts at depth {source.depth}; NetX starts it at 0")
    return source


def _link(network: Network, source: Population, following: list[Projection]) -> Link:
    targets = sorted({p.target for p in following})
    if len(targets) > 1:
        raise unsupported(source.name, f"feeds {', '.join(map(repr, targets))}; {_NO_BRANCHES}")
    population = network.by_name[targets[0]]
    incoming = network.incoming(population.name)
    forward = [p for p in incoming if p.source != population.name]
    recurrent = [p for p in incoming if p.source == population.name]
    if len(forward) == 2 and forward[0].source == forward[1].source:
        raise unsupported(
            population.name,
            "holds weights in two projections, a .net file one weight a synapse; compile with"
            " --weights single",
        )
    if len(forward) != 1 or len(recurrent) > 1:
        sources = ", ".join(repr(p.source) for p in incoming)
        raise unsupported(population.name, f"is fed by {sources}; {_NO_BRANCHES}")
    if population.depth != source.depth + 1:
        raise unsupported(
            population.name,
            f"sits at depth {population.depth} behind depth {source.depth}; NetX resets each layer "
            "one step after the one before it",
        )
    if network.injections_into(population.name):
        raise unsupported(
            population.name, "receives values from the host; only the first layer may"
        )
    link = Link(population, forward[0], recurrent[0] if recurrent else None)
    _check_recurrence(link)
    return link


def _check_recurrence(link: Link) -> None:
    if link.recurrent is None:
        return
    name = link.population.name
    if link.forward.connection.has_plane or link.recurrent.connection.has_plane:
        raise unsupported(name, "is recurrent with a convolution; the format has dense_rec only")
    delayed = (link.recurrent.delay, link.forward.delay) != (0, 0)
    if delayed or any(p.axonal_delay is not None for p in (link.recurrent, link.forward)):
        raise unsupported(name, "has delays on a recurrent layer, which NetX cannot build")


def _check_neuron(network: Network, population: Population) -> None:
    neuron = population.neuron
    if isinstance(neuron, Lif) and not 0 <= neuron.threshold <= LARGEST_THRESHOLD:
        raise unsupported(
            population.name,
            f"has threshold {neuron.threshold}; the register holds 0 to {LARGEST_THRESHOLD}",
        )
    if isinstance(neuron, Integrator) and network.outgoing(population.name):
        raise unsupported(population.name, "is an integrator, which sends nothing, yet it projects")
