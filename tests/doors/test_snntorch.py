"""snnTorch 1.0: its tutorials' networks and its neurons, as they are (tests/doors/models)."""

from __future__ import annotations

from pathlib import Path

import pytest
from journey import journey

pytestmark = pytest.mark.doors

MODELS = Path(__file__).with_name("models") / "snntorch_nets.py"


def came(network, shape, steps, **more):
    return journey(
        "snnTorch", "1.0.0", network, f"{MODELS}:{network}", input_shape=shape, timesteps=steps,
        random_weights=True, **more,
    )  # fmt: skip


@pytest.mark.parametrize(
    "network, shape, steps, module, reset",
    [
        ("tutorial3(10)", (10, 784), 10, "lif1", "soft_after"),
        ("tutorial5()", (784,), 25, "lif1", "soft_after"),
        ('tutorial5(25, "lists")', (784,), 25, "lif1", "soft_after"),
        ('tutorial5(25, "dictionary")', (784,), 25, "lif1", "soft_after"),
        ('tutorial5(10, "stacks", "zero")', (784,), 10, "lif1", "hard"),
        ("tutorial6(False, num_steps=10)", (1, 28, 28), 10, "1", "soft_after"),
        ('hidden("synaptic")', (784,), 10, "net.1", "soft_after"),
        ('hidden("rleaky")', (784,), 10, "net.1", "soft_after"),
    ],
)
def test_compiles(network, shape, steps, module, reset):
    found = came(network, shape, steps)
    assert (found.row.reached, found.row.said) == ("compiled", "")
    first = found.opened.graph.neurons()[0]
    assert (first.module, first.attributes["reset"]) == (module, reset)


def test_the_printed_tutorial_6_pools_currents_and_is_refused_by_that():
    found = came("tutorial6(num_steps=10)", (1, 28, 28), 10)
    assert found.row.reached == "audited"
    assert "it takes the maximum of real values" in found.row.said
