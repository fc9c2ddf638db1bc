"""snnTorch 1.0: its tutorials' networks and its neurons (tests/doors/models), on digits.

Weights are random, of a size at which neurons fire, but for one that is trained here.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from journey import journey

from snndeploy.data import Data

pytestmark = pytest.mark.doors

MODELS = Path(__file__).with_name("models") / "snntorch_nets.py"
DIGITS = Path(__file__).resolve().parents[2] / "models" / "data" / "mnist_test.npz"
SAMPLES = 20
IMAGES = 64  # of the digits, for calibration and for the run


def digits(shape, steps):
    """The shipped digits as a network takes them: flat, as images, or as spikes of each step."""
    with np.load(DIGITS) as held:
        x = (held["x"][:IMAGES] / held["x"].max()).astype(np.float32).reshape(IMAGES, -1)
    if shape == (steps, 784):  # drawn as its tutorial does, a pixel's value is its rate
        drawn = np.random.default_rng(0).random((IMAGES, *shape)) < x[:, None]
        return Data(drawn.astype(np.float32), None, 1.0, "events")
    return Data(x.reshape(IMAGES, *shape), None, 1.0, "images")


def came(network, shape, steps, data=None, **more):
    return journey(
        "snnTorch", "1.0.0", network, f"{MODELS}:{network}", data or digits(shape, steps),
        input_shape=shape, timesteps=steps, samples=SAMPLES, **more,
    )  # fmt: skip


@pytest.mark.parametrize(
    "network, shape, steps, module, reset",
    [
        ("tutorial3(10)", (10, 784), 10, "lif1", "soft_after"),
        ("tutorial5()", (784,), 25, "lif1", "soft_after"),
        ('tutorial5(25, "lists")', (784,), 25, "lif1", "soft_after"),
        ('tutorial5(25, "dictionary")', (784,), 25, "lif1", "soft_after"),
        ('tutorial5(10, "stacks", "zero")', (784,), 10, "lif1", "hard"),
        ('tutorial5(10, "stacks", "zero", False)', (784,), 10, "lif1", "hard"),
        ("tutorial6(False, num_steps=10)", (1, 28, 28), 10, "1", "soft_after"),
        ("lapicque()", (784,), 25, "lif1", "soft_after"),
        ('lapicque("zero")', (784,), 25, "lif1", "hard"),
        ('hidden("synaptic")', (784,), 10, "net.1", "soft_after"),
        ('hidden("synaptic", "zero")', (784,), 10, "net.1", "hard"),
        ('hidden("synaptic", "none")', (784,), 10, "net.1", "none"),
        ('hidden("rleaky")', (784,), 10, "net.1", "soft_after"),
        ('hidden("rleaky", "zero")', (784,), 10, "net.1", "hard"),
        ('hidden("rsynaptic")', (784,), 10, "net.1", "soft_after"),
    ],
)
def test_simulates_as_the_model_does(network, shape, steps, module, reset):
    """The integers' spike counts of the last layer, over all samples, follow the model's."""
    found = came(network, shape, steps, random_weights=True)
    assert (found.row.reached, found.row.said) == ("simulated", "")
    first = found.opened.graph.neurons()[0]
    assert (first.module, first.attributes["reset"]) == (module, reset)
    ours, theirs = found.simulation.logits, found.simulation.reference_logits
    assert theirs.std() > 0
    least = 0.85 if "rleaky" in network else 0.95  # random feedback multiplies a difference
    assert np.corrcoef(ours.reshape(-1), theirs.reshape(-1))[0, 1] > least


def test_an_alpha_neuron_is_refused_by_what_a_spike_does_to_it():
    found = came('hidden("alpha")', (784,), 10, random_weights=True)
    assert found.row.reached == ""
    assert "net.1" in found.row.said


def test_a_subtraction_at_once_is_refused_by_its_second_comparison():
    network = 'tutorial5(10, "stacks", "subtract", False)'
    found = came(network, (784,), 10, random_weights=True)
    assert "it compares its membrane a second time, behind the reset" in found.row.said


@pytest.mark.shared
def test_a_trained_tutorial_5_keeps_its_accuracy(shared_data, tmp_path, monkeypatch):
    """Trained for an epoch on 4,000 digits; 500 others on the chip, within 1.5 points."""
    monkeypatch.syspath_prepend(str(MODELS.parent))
    monkeypatch.delitem(sys.modules, "snntorch_nets", raising=False)
    import snntorch_nets
    import torch

    with np.load(shared_data / "images" / "mnist5k.npz") as held:
        order = np.random.default_rng(0).permutation(5000)
        x = (held["x"].reshape(5000, 784) / 255).astype(np.float32)[order]
        labels = held["y"].astype(np.int64)[order]
    torch.manual_seed(0)
    net = snntorch_nets.Tutorial5(10, readout="spikes")
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    for start in range(0, 4000, 50):
        counts = net(torch.from_numpy(x[start : start + 50]))[0].sum(0)
        loss = torch.nn.functional.cross_entropy(
            counts, torch.from_numpy(labels[start : start + 50])
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.save(net.state_dict(), tmp_path / "trained.pt")
    data = Data(x[4000:4500], labels[4000:4500], 1.0, "images")
    found = journey(
        "snnTorch", "1.0.0", "tutorial5(10), trained", f"{MODELS}:tutorial5(10)", data,
        checkpoint=str(tmp_path / "trained.pt"), input_shape=(784,), timesteps=10, samples=500,
    )  # fmt: skip
    assert (found.row.reached, found.row.said) == ("simulated", "")

    def accuracy(logits):
        return float((logits.reshape(500, -1).argmax(1) == labels[4000:4500]).mean())

    ours = accuracy(found.simulation.logits)
    theirs = accuracy(found.simulation.reference_logits)
    print(f"float {theirs:.1%}, integers {ours:.1%}")
    assert theirs > 0.8
    assert abs(ours - theirs) <= 0.015


def test_the_printed_tutorial_6_pools_currents_and_is_refused_by_that():
    found = came("tutorial6(num_steps=10)", (1, 28, 28), 10, random_weights=True)
    assert found.row.reached == "audited"
    assert "it takes the maximum of real values" in found.row.said
