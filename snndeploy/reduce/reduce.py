"""Reduction: remove channels that cannot matter, after quantization, where equality is in integers.

    silent      never fire                                  gone
    steady      fire at every step                          into biases
    duplicates  compute what another channel computes       one stays, weights added
    unread      every weight behind them is zero            gone
    copies      populations that repeat their source        the source sends itself

in rounds until nothing changes, since each makes room for the others.  Every removal is proved for
all inputs: the spikes of what stays, and the answers, are the same bit for bit.  With `observed`,
channels that were silent or steady on data go as well; that is no proof, and the caller must check
it on other data (`verify.reduced`).

What stays: inputs, readouts, integrators, populations with attention, single neurons inside a
convolution (its kernel is shared), and channels that a grouped convolution ties to others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from snndeploy.network import Network
from snndeploy.reduce.always import drop_steady, take_steady
from snndeploy.reduce.copies import drop_copies
from snndeploy.reduce.drop import Pass, Removal, Skip
from snndeploy.reduce.duplicates import merge_duplicates
from snndeploy.reduce.never import drop_silent, take_silent
from snndeploy.reduce.unread import drop_unread
from snndeploy.target import Target

MOST_ROUNDS = 1000  # each but the last removes a channel; a bound against our own mistakes


@dataclass(frozen=True, eq=False)
class Observed:
    """Neurons that never, or at every step, fired on data: bool (C, H, W) by population of the
    network before reduction.  Channels go whose neurons all did.  samples: how many were run."""

    samples: int
    never: Mapping[str, np.ndarray]
    always: Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Reduction:
    network: Network
    removals: tuple[Removal, ...]
    skips: tuple[Skip, ...]

    @property
    def proved(self) -> bool:
        return all(removal.proved for removal in self.removals)


@dataclass
class _State:
    network: Network
    removals: list[Removal] = field(default_factory=list)

    def take(self, step: Pass) -> tuple[Skip, ...]:
        self.network = step.network
        self.removals += step.removals
        return step.skips


def reduce(network: Network, target: Target, observed: Observed | None = None) -> Reduction:
    """The network without redundant channels; `Network.reduced` says where each went."""
    state = _State(network)
    skips = _exact(state, target)
    if observed is not None:
        never = _now(state.network, observed.never)
        seen = list(state.take(take_silent(state.network, never, proved=False)))
        always = _now(state.network, observed.always)
        seen += state.take(take_steady(state.network, always, target, proved=False))
        skips = [*_exact(state, target), *seen]
    return Reduction(state.network, _summed(state.removals), tuple(dict.fromkeys(skips)))


def _exact(state: _State, target: Target) -> list[Skip]:
    """Rounds of the proved passes; what the last round, which removes nothing, had to leave."""
    passes: tuple[Callable[[Network], Pass], ...] = (
        drop_silent,
        lambda network: drop_steady(network, target),
        lambda network: merge_duplicates(network, target),
        drop_unread,
        lambda network: drop_copies(network, target),
    )
    for _ in range(MOST_ROUNDS):
        before = len(state.removals)
        skips = [skip for reduce_once in passes for skip in state.take(reduce_once(state.network))]
        if len(state.removals) == before:
            return skips
    raise AssertionError("reduction does not end")


def _now(network: Network, masks: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Channels that are left and whose neurons all are in the mask."""
    found = {}
    for population in network.populations:
        entry = network.reduction_of(population.name)
        if population.name in masks:
            whole: np.ndarray = np.all(masks[population.name], axis=(1, 2))
            found[population.name] = whole if entry is None else whole[entry.kept]
    return found


def neurons_left(network: Network, observed: Observed) -> list[tuple[str, int, int]]:
    """Population, and its neurons that never and always fired though their channel stays."""
    found = []
    for population in network.populations:
        entry = network.reduction_of(population.name)
        masks = (m.get(population.name) for m in (observed.never, observed.always))
        kept = slice(None) if entry is None else entry.kept
        counts = [0 if mask is None else int(mask[kept].sum()) for mask in masks]
        if any(counts):
            found.append((population.name, counts[0], counts[1]))
    return found


def _summed(removals: list[Removal]) -> tuple[Removal, ...]:
    """One line a population, reason and kind of evidence."""
    found: dict[tuple[str, str, bool], Removal] = {}
    for removal in removals:
        key = (removal.population, removal.reason, removal.proved)
        other = found.get(key, Removal(*key[:2], 0, 0, removal.proved))
        found[key] = Removal(
            *key[:2], other.channels + removal.channels, other.neurons + removal.neurons, key[2]
        )
    return tuple(found.values())
