"""Norse: SequentialState, cells by hand, Lift; LIF with its jump first, LIFBox, LI readouts."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from journey import journey

from snndeploy.data import Data

pytestmark = pytest.mark.doors
MODELS = Path(__file__).parent / "models" / "norse_nets.py"
IMAGE, STEPS = (1, 8, 8), 8
LIF = {"decay": 0.8, "current_decay": 0.8, "threshold": 1.5, "fires_at": "gt", "reset": "hard"}
BOX = {"decay": 0.8, "threshold": 1.5, "fires_at": "gt", "reset": "hard", "current_decay": 0.0}
NETS = (
    ("sequential('mean')", LIF),
    ("sequential('last')", LIF),
    ("sequential('max')", LIF),
    ("sequential('mean', 'leak')", {"decay": 0.8, "threshold": 1.0, "v_reset": -0.2}),
    ("sequential('mean', 'box')", BOX),
    ("by_hand()", LIF),
    ("by_hand(True)", BOX),
    ("lifted()", LIF),
    ("lifted(True)", BOX),
)


@pytest.mark.parametrize(("network", "stated"), NETS)
def test_simulates(network, stated):
    x = np.random.default_rng(0).random((4, *IMAGE)).astype(np.float32)
    found = journey(
        "Norse", version("norse"), network, f"{MODELS}:{network}",
        Data(x, None, 1.0, "random"), random_weights=True, timesteps=STEPS, input_shape=IMAGE,
    )  # fmt: skip
    assert found.row.reached == "simulated", found.row.said
    assert not found.row.said
    for node in found.opened.graph.neurons():
        given = {"current_decay": 0.0, **node.attributes}
        for key, value in stated.items():
            assert given[key] == (value if isinstance(value, str) else pytest.approx(value, 1e-6))
