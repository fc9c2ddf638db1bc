"""sinabs: multi-spike IAF as it comes, LIF, bounds, synapses, squeezed layers, `from_model`."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from journey import journey

from snndeploy.data import Data

pytestmark = pytest.mark.doors
MODELS = Path(__file__).parent / "models" / "sinabs_nets.py"
PIXELS, IMAGE, STEPS = (64,), (1, 8, 8), 8
SEVERAL = 1 << 15
DECAY = float(np.exp(-1 / 5.0))
NETS = (
    ("dense('iaf')", PIXELS, {"decay": 1.0, "reset": "soft", "most_spikes": SEVERAL}),
    ("dense('iaf_bounded')", PIXELS, {"lower_bound": -1.0, "most_spikes": SEVERAL}),
    ("dense('iaf_single')", PIXELS, {"decay": 1.0, "reset": "soft", "most_spikes": 1}),
    ("dense('iaf_reset')", PIXELS, {"decay": 1.0, "reset": "hard", "most_spikes": 1}),
    ("dense('lif')", PIXELS, {"decay": DECAY, "reset": "soft", "most_spikes": SEVERAL}),
    ("dense('lif_raw')", PIXELS, {"decay": DECAY, "threshold": 1.0, "most_spikes": SEVERAL}),
    ("dense('lif_bounded')", PIXELS, {"decay": DECAY, "most_spikes": SEVERAL}),
    ("dense('lif_synapse')", PIXELS, {"decay": DECAY, "current_decay": float(np.exp(-1 / 3.0))}),
    ("squeezed()", IMAGE, {"lower_bound": -1.0, "most_spikes": SEVERAL}),
    ("exp_leak()", PIXELS, {"decay": DECAY, "most_spikes": SEVERAL}),
    ("converted()", IMAGE, {"decay": 1.0, "reset": "soft", "most_spikes": SEVERAL}),
)


@pytest.mark.parametrize(("network", "shape", "stated"), NETS)
def test_simulates(network, shape, stated):
    x = np.random.default_rng(0).random((4, *shape)).astype(np.float32)
    found = journey(
        "sinabs", version("sinabs"), network, f"{MODELS}:{network}",
        Data(x, None, 1.0, "random"), random_weights=True, timesteps=STEPS, input_shape=shape,
    )  # fmt: skip
    assert found.row.reached == "simulated", found.row.said
    assert not found.row.said
    for node in found.opened.graph.neurons():
        given = {"most_spikes": 1, **node.attributes}
        for key, value in stated.items():
            assert given[key] == (value if isinstance(value, str) else pytest.approx(value, 1e-6))
    ours, theirs = found.simulation.logits, found.simulation.reference_logits
    assert np.abs(ours - theirs).max() < 0.25 * (1 + np.abs(theirs).max())
    if theirs.std() > 0:  # of one network random weights answer the same everywhere
        assert np.corrcoef(ours.reshape(-1), theirs.reshape(-1))[0, 1] > 0.95
