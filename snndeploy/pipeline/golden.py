"""The golden answer: a few inputs with what the chip answered."""

from __future__ import annotations

import numpy as np

from snndeploy.engines.engine import run_network
from snndeploy.program import Golden, Program
from snndeploy.simulator.run import encode


def golden(program: Program, x: np.ndarray) -> Golden:
    """Run a few samples and keep what the chip answered."""
    injected, _ = encode(program, x)
    names = [p.name for p in program.network.populations if p.neuron.on_chip and p.neuron.sends]
    activity = run_network(program.network, injected, record=names, samples=len(x))
    packed = {name: np.packbits(activity.spikes[name] != 0) for name in names}
    return Golden(x, injected, packed, activity.outputs)
