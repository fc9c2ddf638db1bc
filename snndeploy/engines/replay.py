"""A population's neurons once more, on what their membranes take in: the plain step, by itself.

The engines record v after the reset, where the membrane of a neuron that fired is gone.  A
`listener` in a population's place tells what it takes in, w = u + bias at every step (refined,
where attention sits at the current), and the neuron's own step on w tells everything else.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from snndeploy.engines.attention import attend
from snndeploy.network import Population
from snndeploy.neurons import MEMBRANE_MAXIMUM, Stepped, listener, no_overflows


def listening(population: Population, name: str) -> Population:
    """What stands in its place, or beside it, and keeps w of every step as its membrane."""
    before = population.attention_at("current")
    attention = () if before is None else (before,)
    return replace(population, name=name, neuron=listener(population.neuron), attention=attention)


class Replay:
    """largest: where the membrane saturates; UNBOUNDED: nowhere.

    overflows: int64 (len(OVERFLOW_KINDS),), of the membrane's part of the steps so far."""

    def __init__(
        self, population: Population, samples: int, largest: int = MEMBRANE_MAXIMUM
    ) -> None:
        self.population, self.largest = population, largest
        shape = (samples, *population.shape)
        starts = population.neuron.starts
        self.state = {
            key: np.full(shape, starts.get(key, 0), dtype=np.int64)
            for key in population.neuron.state
        }
        self.overflows = no_overflows()

    def step(self, w: np.ndarray) -> Stepped:
        """One step on w, int64 (samples, C, H, W) in units of v."""
        inside = self.population.attention_at("membrane")
        refine = self._refine if inside else None
        stepped = self.population.neuron.take_in(
            self.state, w, self.overflows, refine, self.largest
        )
        self.state = dict(stepped.state)
        return stepped

    def _refine(self, membrane: np.ndarray) -> np.ndarray:
        inside = self.population.attention_at("membrane")
        assert inside is not None
        return attend(self.population, inside, membrane[:, None], self.overflows)[:, 0]
