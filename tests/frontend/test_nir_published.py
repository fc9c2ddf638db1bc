"""The NIR paper's own files on their own data: N-MNIST, braille, and one neuron's traces."""

import numpy as np
import pytest
import torch

from snndeploy import pipeline
from snndeploy.data import Binning, load_data
from snndeploy.frontend.door import SpecOptions
from snndeploy.frontend.doors import open_spec
from snndeploy.neurons import equation_of
from snndeploy.ops.evaluate import evaluate
from snndeploy.ops.neuron import replay
from snndeploy.simulator.run import simulate

pytestmark = pytest.mark.torch
DT = 1e-4  # that of the paper's experiments
WEIGHT = 0.04  # dt / tau of the neuron: an event adds it


def right(answers, data):
    return float((answers.argmax(1) == data.y).mean())


@pytest.mark.parametrize(("recorded", "late"), [("norse", 0), ("exact", 0), ("lava_cpu_fixed", 1)])
def test_one_neuron_fires_where_it_was_recorded(shared_data, recorded, late):
    """Lava's own spikes are a step behind, as its processes are."""
    trace = np.loadtxt(shared_data / f"nir/lif_traces/lif_{recorded}.csv", delimiter=",")
    options = SpecOptions(timesteps=len(trace), dt=DT, answer="all", input_signal="binary")
    graph = open_spec(str(shared_data / "nir/lif_norse.nir"), options).graph
    events = (trace[:, 0] > 0).astype(np.float32)
    (spikes,) = evaluate(graph, torch.as_tensor(events)[None, :, None]).values()
    fired = np.flatnonzero(spikes[0, :, 0].numpy())
    assert fired.tolist() == [460, 510, 710, 760]
    np.testing.assert_array_equal(np.flatnonzero(trace[:, 2]), fired + late)


def test_its_membrane_is_that_of_norse(shared_data):
    trace = np.loadtxt(shared_data / "nir/lif_traces/lif_norse.csv", delimiter=",")
    options = SpecOptions(timesteps=len(trace), dt=DT, input_signal="binary")
    graph = open_spec(str(shared_data / "nir/lif_norse.nir"), options).graph
    neuron = equation_of(graph.neurons()[0].attributes)
    membranes, spikes = replay(neuron, WEIGHT * trace[:, :1])
    after = np.where(spikes, 0.0, membranes)[:, 0]
    np.testing.assert_allclose(after, trace[:, 1], rtol=0, atol=3e-8)  # its 32 bits


def test_one_neuron_in_integers(shared_data):
    """On the chip's LIF, with 12 bits of decay and 8 of weight: the same spikes."""
    trace = np.loadtxt(shared_data / "nir/lif_traces/lif_norse.csv", delimiter=",")
    x = (trace[:, 0] > 0).astype(np.float32)[None, :, None]
    made = pipeline.compile(
        str(shared_data / "nir/lif_norse.nir"), dt=DT, calibration=x, mapping="naive", answer="all"
    )
    run = simulate(made, x)
    neuron = run.layers["1"]
    assert (neuron.spikes, neuron.matching) == (4, 1000)  # of 1000 steps, all as in floats


def test_braille(shared_data):
    """97.3 % on the de-duplicated samples with the paper's own reader."""
    data = load_data(shared_data / "events/braille_400.npz")
    made = pipeline.compile(
        str(shared_data / "nir/braille_noDelay_noBias_subtract.nir"),
        dt=DT, reset="soft", calibration=data.take(64), mapping="naive",
    )  # fmt: skip
    run = simulate(made, data.inputs())
    assert made.facts.model.timesteps == 256 and made.facts.model.input_signal == "binary"
    assert made.model.neurons()[0].feedback is not None
    assert right(run.reference_logits, data) == 0.97
    assert right(run.logits, data) >= 0.96


@pytest.mark.slow
@pytest.mark.parametrize("reset", ["hard", "soft"])
def test_nmnist(shared_data, reset):
    """The paper bins N-MNIST by 1 ms; ten platforms answer 95.4 % to 98.5 % of it rightly."""
    binning = Binning(bin_us=1000, frames=310, height=34, width=34)
    data = load_data(shared_data / "events/nmnist_200.npz", binning)
    made = pipeline.compile(
        str(shared_data / "nir/cnn_sinabs.nir"), calibration=data.take(16), reset=reset,
        mapping="naive",
    )  # fmt: skip
    runs = [simulate(made, data.x[n : n + 20].astype(np.float32)) for n in range(0, 200, 20)]
    of_floats = right(np.concatenate([run.reference_logits for run in runs]), data)
    of_integers = right(np.concatenate([run.logits for run in runs]), data)
    assert made.facts.binning == binning
    assert of_floats >= 0.95 and abs(of_floats - of_integers) <= 0.015
