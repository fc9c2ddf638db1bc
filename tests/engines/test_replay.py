"""A replay takes the neuron's own steps, from where the neuron starts."""

from __future__ import annotations

import numpy as np
from populations import make_population

from snndeploy.engines.replay import Replay


def test_a_program_is_replayed_from_its_initial_membrane():
    """h = 50; v = 50 + 20 does not fire above 90, and is carried whole; v = 70 + 30 does."""
    population = make_population("p", (1, 1, 1), "programmed", threshold=90, initial=50)
    replay, w = Replay(population, 1), np.full((1, 1, 1, 1), 20)
    assert [int(replay.step(w + step * 10).before.item()) for step in range(2)] == [70, 100]
    assert replay.state["v"].item() == 0
