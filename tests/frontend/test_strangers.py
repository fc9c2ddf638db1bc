"""Files as strangers write them reach their first report, or are told what to write instead.

Each case takes the whole way: from SPEC to a simulated program on loihi2.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from snndeploy import pipeline
from snndeploy.data import Data
from snndeploy.errors import DeployError
from snndeploy.frontend.time_last import TIME_LAST
from snndeploy.pipeline.options import Options
from snndeploy.simulator.run import simulate
from snndeploy.target import Target

pytestmark = pytest.mark.torch
FOLDER = Path(__file__).parent / "strangers"
IMAGE = (1, 8, 8)


def opened(spec, steps, shape=IMAGE, signal="real"):
    return pipeline.load_graph(
        f"{FOLDER}/{spec}", timesteps=steps, input_shape=shape, input_signal=signal,
        random_weights=True,
    )  # fmt: skip


def samples(shape, signal):
    x = np.random.default_rng(0).random((4, *shape)).astype(np.float32)
    return x if signal == "real" else (x < 0.3).astype(np.float32)


RUN = (
    ("stbp.py:SCNN()", 6, IMAGE, "real", ("gt", 0.5, 0.2, "hard")),
    ("attribute.py:Net()", 5, IMAGE, "real", ("ge", 2.0, 0.5, "hard")),
    ("attribute.py:NeverReset()", 5, IMAGE, "real", ("ge", 2.0, 0.5, "hard")),
    ("tdbn.py:Net()", 4, IMAGE, "real", ("gt", 0.5, 0.25, "hard")),
    ("dspike.py:Net()", 4, IMAGE, "real", ("gt", 1.0, 0.5, "hard")),
    ("unusual.py:soft()", 5, IMAGE, "real", ("ge", 1.0, float(np.float32(0.9)), "soft")),
    ("unusual.py:channel_thresholds()", 5, IMAGE, "real", ("gt", 0.5, 0.5, "hard")),
)


@pytest.mark.parametrize(("spec", "steps", "shape", "signal", "equation"), RUN)
def test_runs(spec, steps, shape, signal, equation):
    model, graph = opened(spec, steps, shape, signal)
    neurons = graph.neurons()
    assert neurons
    for node in neurons:
        stated = node.attributes
        found = (stated["fires_at"], stated["threshold"], stated["decay"], stated["reset"])
        assert found == equation, node.module
    assert not [note for note in graph.notes if "not verified" in note]
    data = Data(samples(shape, signal), None, 1.0, "random")
    program = pipeline.compile_opened(model, Target.load("loihi2"), Options(calibration=data))
    found = simulate(program, data.inputs())
    assert len(found.logits) == len(data.x)


def test_time_last():
    model, graph = opened("stbp.py:Events()", 6, (2, 8, 8, 6), "binary")
    assert graph.input.shape[1:] == (6, 2, 8, 8)
    assert TIME_LAST in graph.notes
    data = Data(samples((6, 2, 8, 8), "binary"), None, 1.0, "random")
    program = pipeline.compile_opened(model, Target.load("loihi2"), Options(calibration=data))
    assert len(simulate(program, data.inputs()).logits) == 4


REFUSED = (
    (
        "stbp.py:fixed_batch()", 6,
        "the model cannot be traced: stbp.py:30: it fixes its batch size: one sample gives (100,"
        " 10), 61 samples an error; take the size from the input, x.shape[0]",
    ),
    (
        "stbp.py:Rate()", 6,
        "operation aten.rand in module '(the model)' draws random numbers; compile a model that"
        " does the same at every run, and draw spikes of an image before it: frames (time, ...)"
        " as data",
    ),
    (
        "unusual.py:Decided()", 5,
        "the model cannot be traced: unusual.py:160: what it does depends on the values that it"
        " computes (if, while, .item()); do the same at every input, for example with torch.where"
        " and a fixed number of steps",
    ),
    (
        "unusual.py:NumpyInside()", 5,
        "the model cannot be traced: unusual.py:171: it leaves torch for numpy; compute this with"
        " torch, or before the model",
    ),
    (
        "unusual.py:channel_leaks()", 5,
        "the neuron in module 'cell1' is not one that the compiler reads from its loop: it has 24"
        " different decays, and one is needed for all its channels; train one number for the"
        " layer, or make a module of its own for each",
    ),
    (
        "unusual.py:adaptive()", 5,
        "the neuron in module 'cell1' is not one that the compiler reads from its loop: its spikes"
        " alone move a state that moves its threshold (it adapts); train it with a fixed threshold",
    ),
    (
        "unusual.py:ternary()", 5,
        "the neuron in module 'cell1' is not one that the compiler reads from its loop: 2"
        " comparisons a step decide whether it fires; train it with one threshold, or let every"
        " threshold be a neuron of its own",
    ),
    (
        "unusual.py:NormOfEveryStep()", 5,
        "the loop over time does not do the same at every step: step 2 of module 'norms.4':"
        " _native_batch_norm_legit_no_training with another tensor of 24 where other steps have"
        " another tensor of 24 (each step has a module of its own, 'norms.0' to 'norms.4'; share"
        " one); write every step alike, or describe the neuron with neuron_parameters()",
    ),
)  # fmt: skip


@pytest.mark.parametrize(("spec", "steps", "message"), REFUSED)
def test_is_told_what_to_write(spec, steps, message, capfd):
    with pytest.raises(DeployError) as refusal:
        opened(spec, steps)
    assert str(refusal.value) == message
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(torch.cuda.is_available(), reason="here the model's GPU exists")
def test_a_gpu_that_is_not_there():
    with pytest.raises(DeployError, match=r"attribute.py:84: it asks for a GPU.* x.device"):
        opened("attribute.py:OnCuda()", 5)
