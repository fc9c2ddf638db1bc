"""How long Lava's simulation of a network will take, roughly, before it is started."""

from __future__ import annotations

import os

import numpy as np

from snndeploy.backends.lava.backend import ALLOWED
from snndeploy.backends.lava.express import reads_the_past
from snndeploy.connections import Conv, Dense
from snndeploy.network import Network, Projection

# Measured with lava-nc 0.10.0 on two cores of a 2.x GHz server; within a factor of two elsewhere.
START_S = 2.0
START_PER_POPULATION_S = 0.08
STEP_PER_POPULATION_S = 1.3e-3
CONV_PER_CHANNEL_PAIR_S = 1e-5
CONV_PER_TAP_S = 8.5e-9  # Lava convolves at stride 1, whatever the stride
DENSE_PER_SYNAPSE_S = 1e-9
DELAYED_PER_SYNAPSE_S = 6e-9  # and step of delay: DelayDense sorts its weights in every step


def estimated_seconds(network: Network, samples: int) -> float:
    """Wall-clock seconds of `run_bundle` for that many samples."""
    runs = samples if reads_the_past(network) else 1
    steps = samples * network.chip_steps + runs
    cores = max(os.cpu_count() or 1, 1)
    synapses = sum(_step_seconds(network, projection) for projection in network.projections)
    step = STEP_PER_POPULATION_S * len(network.populations) + synapses / cores
    start = START_S + START_PER_POPULATION_S * len(network.populations)
    return runs * start + steps * step


def _step_seconds(network: Network, projection: Projection) -> float:
    channels, height, width = network.by_name[projection.source].shape
    weight = projection.connection.weight
    match projection.connection:
        case Conv():
            pairs = weight.shape[0] * weight.shape[1]
            taps = int(np.prod(weight.shape[2:])) * height * width
            return pairs * (CONV_PER_CHANNEL_PAIR_S + taps * CONV_PER_TAP_S)
        case Dense():
            delay = projection.delay
            if projection.axonal_delay is not None:
                delay += int(np.max(projection.axonal_delay))
            size = weight.shape[0] * channels * height * width
            each = DELAYED_PER_SYNAPSE_S * (delay + 1) if delay else DENSE_PER_SYNAPSE_S
            return size * each
    raise ALLOWED.refused_connection(projection)
