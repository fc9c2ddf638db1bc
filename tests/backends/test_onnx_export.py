"""The float model as ONNX: equal in onnxruntime, spike by spike, and read again as the same."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import tiny_model
import torch
from cli_runner import refused, run
from onnx import TensorProto, helper
from torch import nn

from snndeploy import pipeline
from snndeploy.backends.onnx.export import onnx_model
from snndeploy.backends.onnx.neuron import Unrolled
from snndeploy.backends.onnx.operations import OPERATIONS
from snndeploy.backends.onnx.writer import Writer
from snndeploy.data import load_data
from snndeploy.engines.engine import run_network
from snndeploy.frontend.torch import trace
from snndeploy.graph import Graph, Node
from snndeploy.neurons import equation_of
from snndeploy.ops import KINDS
from snndeploy.ops.evaluate import evaluate
from snndeploy.ops.neuron import evaluate as fired
from snndeploy.program import load, save

pytestmark = pytest.mark.torch

TOLERANCE = 1e-5  # of the largest answer: sums of some hundred float32 terms in another order
DATA = Path(__file__).resolve().parents[2] / "models" / "data"
SHIPPED = {
    "direct-digits": "mnist_test",
    "gac-digits": "mnist_test",
    "lif-snn-3-small": "mnist_events_test",
}


def session_of(content):
    return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])


def with_spikes(model, graph):
    """The model, its neurons' spikes as further outputs."""
    names = [node.name for node in graph.neurons()]
    for name in names:
        model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    return model.SerializeToString(), names


@pytest.mark.parametrize("name", SHIPPED)
def test_equal_in_onnxruntime(name):
    """Every spike of every neuron on 50 samples, and the answers within rounding."""
    _, graph = pipeline.load_graph(name)
    content, spiking = with_spikes(onnx_model(graph, name, "network"), graph)
    x = load_data(DATA / f"{SHIPPED[name]}.npz").inputs()[:50]
    answer, *found = session_of(content).run(None, {"input": x})
    wanted = evaluate(graph, x, [*graph.outputs, *spiking], hoist=False)
    exact = wanted[graph.outputs[0]].numpy()
    assert np.abs(answer - exact).max() <= TOLERANCE * np.abs(exact).max()
    assert len(spiking) >= 2
    for name_of_spikes, spikes in zip(spiking, found, strict=True):
        assert np.array_equal(spikes, wanted[name_of_spikes].numpy()), name_of_spikes
        assert 0 < spikes.mean() < 1


# neurons, one equation at a time

PLAIN = {"kind": "lif", "threshold": 1.0, "decay": 0.75, "v_reset": 0.0, "reset": "hard",
         "fires_at": "ge", "time_axis": 1, "timesteps": 6}  # fmt: skip
NEURONS = {
    "hard": {},
    "above": {"fires_at": "gt"},
    "reset value": {"v_reset": -0.3},
    "soft": {"reset": "soft"},
    "soft after": {"reset": "soft_after"},
    "no reset": {"reset": "none"},
    "current": {"current_decay": 0.5},
    "initial": {"initial": 0.5, "decay": 1.0, "reset": "soft"},
    "bound": {"lower_bound": -0.25},
    "several": {"most_spikes": 3, "reset": "soft"},
}


@pytest.mark.parametrize("case", NEURONS)
def test_each_form_of_the_neuron(case):
    """Bit for bit, on currents that lie on the threshold too."""
    axes = ((("batch", 1),), (("time", 6),), (("feature", 40),))
    node = Node("spikes", "neuron", ("input",), PLAIN | NEURONS[case], axes=axes)
    assert not equation_of(node.attributes).faults()
    entry = Node("input", "input", attributes={"signal": "real"}, axes=axes)
    graph = Graph((entry, node), ("spikes",), 6)
    x = (np.random.default_rng(0).integers(-4, 9, (5, 6, 40)) / 4).astype(np.float32)
    (found,) = session_of(content_of(graph)).run(None, {"input": x})
    wanted = fired(node, [torch.from_numpy(x)], 5, 6).numpy()
    assert np.array_equal(found, wanted)
    assert 0.05 < (wanted > 0).mean() < 0.9


def content_of(graph):
    made = onnx_model(graph, "one", "network")
    onnx.checker.check_model(made, full_check=True)
    return made.SerializeToString()


def test_every_operation_has_its_form():
    assert set(KINDS) - set(OPERATIONS) == {"input", "neuron"}


def scaled(layer):
    torch.manual_seed(0)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    return layer


class Largest(nn.Module):
    """A mask of the two largest rows, written at their places."""

    def forward(self, x):
        return torch.ops.snndeploy.top_k_mask(x, 2, 2)


LAYERS = {
    "top_k_mask": Largest,
    "conv_transpose": lambda: scaled(nn.ConvTranspose2d(4, 6, (3, 2), 2, (1, 0), (1, 0), 2)),
    "upsample": lambda: nn.Upsample(scale_factor=(2, 3)),
    "extend": lambda: nn.ReflectionPad2d((1, 2, 3, 0)),
    "extend by repetition": lambda: nn.ReplicationPad2d((1, 2, 3, 0)),
    "extend by wrapping": lambda: nn.CircularPad2d((1, 2, 3, 0)),
    "group_norm": lambda: scaled(nn.GroupNorm(2, 4, eps=1e-3)),
    "group_norm of each channel": lambda: scaled(nn.InstanceNorm2d(4, affine=True)),
    "layer_norm": lambda: scaled(nn.LayerNorm([7, 6], eps=1e-3)),
    "mean_windows": lambda: nn.AdaptiveAvgPool2d((3, 4)),
    "mean_windows of unlike counts": lambda: nn.AvgPool2d(3, 2, 1, ceil_mode=True),
    "max_windows": lambda: nn.AdaptiveMaxPool2d((3, 4)),
    "max_windows by ceiling": lambda: nn.MaxPool2d(3, 2, 1, ceil_mode=True),
}


@pytest.mark.parametrize("case", LAYERS)
def test_each_layer_of_planes(case):
    """Torch's own answer; what reads no sums, bit for bit."""
    layer = LAYERS[case]().eval()
    graph = trace(layer, torch.zeros(1, 4, 7, 6), timesteps=1, spiking=False)
    assert case.split()[0] in [node.op for node in graph.nodes]
    x = np.random.default_rng(0).normal(size=(5, 4, 7, 6)).astype(np.float32)
    (found,) = session_of(content_of(graph)).run(None, {"input": x})
    with torch.no_grad():
        wanted = layer(torch.from_numpy(x)).numpy()
    assert found.shape == wanted.shape
    room = 0.0 if case.startswith(("extend", "upsample", "max", "top")) else TOLERANCE
    assert np.abs(found - wanted).max() <= room * np.abs(wanted).max()


def test_a_neuron_reads_every_field_of_its_equation():
    """A new field must be written too, or refused as refractory steps and a grid are."""
    source = inspect.getsource(Unrolled)
    fields = equation_of(PLAIN).__dataclass_fields__
    written = [f for f in fields if f"neuron.{f}" in source or "refractory" in f or f == "grid"]
    assert set(fields) - set(written) == {"kind"}


def test_constants_are_kept_once_and_scalars_stay_scalars():
    write = Writer()
    assert write.constant(1.0) == write.constant(1.0) != write.constant([1.0])
    assert [list(tensor.dims) for tensor in write.constants.values()] == [[], [1]]


# the command, and back


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.py").write_text(inspect.getsource(tiny_model))
    x = np.random.default_rng(0).random((20, 1, 8, 8)).astype(np.float32)
    np.savez(tmp_path / "data.npz", x=x)
    made = pipeline.compile(
        "tiny.py:Net(timesteps=4)", random_weights=True, calibration="data.npz", mapping="naive"
    )
    save(made, "net.snnp")
    return tmp_path


def test_there_and_back_is_the_same_program(tiny):
    result = run("export", "net.snnp", "--format", "onnx", "-o", "net.onnx")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("written: net.onnx (network, ")
    again = pipeline.compile("net.onnx", calibration="data.npz", mapping="naive")
    made = load("net.snnp")
    assert again.network.timesteps == made.network.timesteps == 4
    assert again.facts.model.input_signal == made.facts.model.input_signal
    x = load_data(tiny / "data.npz").inputs()
    (ours,), (theirs,) = (evaluate(p.model, x).values() for p in (again, made))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    found = [run_network(p.network, p.golden.injected, samples=2).outputs for p in (again, made)]
    assert np.array_equal(*found)


def test_the_encoder_alone(tiny):
    """What the host computes for the chip, the same in onnxruntime."""
    result = run("export", "net.snnp", "--format", "onnx", "--part", "encoder", "-o", "e.onnx")
    assert result.stdout.startswith("written: e.onnx (encoder, ")
    made = onnx.load("e.onnx")
    assert {node.op_type for node in made.graph.node} <= {"Conv", "Identity", "Expand", "Reshape",
                                                          "Unsqueeze", "Concat"}  # fmt: skip
    assert {entry.key: entry.value for entry in made.metadata_props} == {
        "snndeploy.part": "encoder", "snndeploy.timesteps": "4", "snndeploy.input_signal": "real",
    }  # fmt: skip
    encoder, x = load("net.snnp").encoder, load_data("data.npz").inputs()
    found = session_of("e.onnx").run(None, {"input": x})
    for answer, wanted in zip(found, evaluate(encoder, x, hoist=False).values(), strict=True):
        np.testing.assert_allclose(answer, wanted, rtol=1e-5, atol=1e-6)


def test_integers_have_no_float_model(tiny, shared_data):
    spec = shared_data / "lava_dl/tiny.net"
    made = pipeline.compile(str(spec), timesteps=4)
    save(made, "integers.snnp")
    said = refused(tiny, "export", "integers.snnp", "--format", "onnx", "-o", "net.onnx")
    assert said == "it was imported as integers: there is no float model to write"


def test_the_part_belongs_to_onnx(tiny):
    result = run("export", "net.snnp", "--format", "netx", "--part", "encoder", "-o", "n.net")
    assert result.exit_code == 2
    assert "netx writes lava-dl's .net file: --part cannot be used with it" in result.stderr
