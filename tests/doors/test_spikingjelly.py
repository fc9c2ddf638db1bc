"""SpikingJelly 2.0: its model zoo in both step modes, as it is (tests/doors/models)."""

from __future__ import annotations

from pathlib import Path

import pytest
from journey import journey

pytestmark = [pytest.mark.doors, pytest.mark.slow]

MODELS = Path(__file__).with_name("models") / "spikingjelly_nets.py"


@pytest.mark.parametrize("mode, shape", [("m", (4, 3, 32, 32)), ("s", (3, 32, 32))])
@pytest.mark.parametrize("family", ["spiking", "sew"])
def test_resnet18_compiles(family, mode, shape):
    network = f'resnet18("{family}", "{mode}")'
    found = journey(
        "SpikingJelly", "2.0.0", network, f"{MODELS}:{network}", input_shape=shape, timesteps=4,
        random_weights=True,
    )  # fmt: skip
    assert (found.row.reached, found.row.said) == ("compiled", "")
    assert all(node.attributes["fires_at"] == "ge" for node in found.opened.graph.neurons())
