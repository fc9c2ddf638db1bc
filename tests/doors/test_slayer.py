"""lava-dl's SLAYER: dense and convolutional CUBA blocks with weight norm, quantized weights and the
step of delay between blocks; time last."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from journey import journey

from snndeploy.data import Data

pytestmark = pytest.mark.doors
MODELS = Path(__file__).parent / "models" / "slayer_nets.py"
STEPS = 8
NETS = (("dense()", (128,)), ("conv()", (2, 10, 10)), ("pilotnet()", (3, 16, 16)))
REFUSED = (
    ("delayed()", "write it with export_hdf5 and compile the .net"),
    ("recurrent()", "its persistent_state does not compile"),
    ("adaptive()", "of SLAYER's neurons CUBA compiles, not alif"),
)


def taken(network, shape):
    x = (np.random.default_rng(0).random((4, STEPS, *shape)) < 0.3).astype(np.float32)
    return journey(
        "SLAYER (lava-dl)", version("lava-dl"), network, f"{MODELS}:{network}",
        Data(x, None, 1.0, "random spikes"), random_weights=True, timesteps=STEPS,
        input_shape=(*shape, STEPS), input_signal="binary",
    )  # fmt: skip


@pytest.mark.parametrize(("network", "shape"), NETS)
def test_simulates(network, shape):
    found = taken(network, shape)
    assert found.row.reached == "simulated", found.row.said
    assert not found.row.said
    for node in found.opened.graph.neurons():
        assert node.attributes["grid"] == 1 / 4096
        assert (node.attributes["threshold"], node.attributes["current_decay"]) == (1.25, 0.75)
    neurons = [part for part in found.simulation.layers.values() if part.matching is not None]
    samples = found.simulation.samples
    alike = [part.matching / (part.neurons * STEPS * samples) for part in neurons]
    assert min(alike) > 0.95  # spikes of the chip's integers that are those of SLAYER's
    assert all(part.spikes for part in neurons)


@pytest.mark.parametrize(("network", "says"), REFUSED)
def test_is_refused_by_name(network, says):
    found = taken(network, (128,))
    assert found.row.reached == ""
    assert says in found.row.said
