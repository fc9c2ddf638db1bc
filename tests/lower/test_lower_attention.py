"""Attention in the body: the lowered networks fire as the models do, and all engines agree."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from random_models import Neuron
from real_evaluator import run_real
from torch import nn

from snndeploy.engines.functional import misaligned, run_functional
from snndeploy.engines.reference import run_reference
from snndeploy.engines.stepwise import run_stepwise
from snndeploy.errors import UnsupportedError
from snndeploy.frontend.load import load
from snndeploy.frontend.torch import trace
from snndeploy.lower.lower import lower
from snndeploy.ops.evaluate import evaluate
from snndeploy.passes.partition import partition
from snndeploy.passes.signals import infer_signals
from snndeploy.pipeline import load_graph
from snndeploy.quantize.calibration import calibrate
from snndeploy.quantize.quantize import quantize
from snndeploy.shelf import models_folder
from snndeploy.simulator.run import injections_of
from snndeploy.target import Target
from snndeploy.verdict import attention_unit

pytestmark = pytest.mark.torch
SAMPLES = 3

MA = "ma_snn.py:ma_snn_3_small(timesteps=4, size=12, attention='{}', setting='{}', {})"
ASA = "asa_snn.py:asa_snn_3_small(timesteps=4, size=12, variant={}, setting='asa_text')"
SPECS = {
    "TA on the current": MA.format("T", "small", "location='conv_post'"),
    "CA on the membrane": MA.format("C", "small", "location='activate_pre'"),
    "SA on the membrane": MA.format("S", "small", "location='activate_pre'"),
    "CSA on the current": MA.format("CS", "small", "location='conv_post'"),
    "TCSA as recommended": MA.format("TCS", "small", ""),
    "CSA on the spikes": MA.format("CS", "small", "location='conv_pre', skip_first=True"),
    "SimAM": MA.format("C", "ma_simam", "").replace("size=12", "size=16"),
    "ECA": MA.format("C", "ma_eca", ""),
    "MA code, pooled over T": MA.format("TCS", "ma_code_gait", ""),
    "ASA-1": ASA.format(1),
    "ASA-2": ASA.format(2),
}


def spikes_of(model, x):
    """Output and spikes of every neuron in float64, by module path."""
    double, spikes = copy.deepcopy(model).double(), {}
    for path, module in double.named_modules():
        if hasattr(module, "neuron_parameters") or hasattr(module, "step_parameters"):
            module.register_forward_hook(lambda m, i, out, path=path: spikes.update({path: out}))
    with torch.no_grad():
        output = double(torch.from_numpy(x).double())
    return output.numpy(), {path: out.transpose(0, 1).numpy() for path, out in spikes.items()}


def events(shape):
    generator = np.random.default_rng(3)
    return generator.poisson(0.7, (SAMPLES, *shape)).astype(np.float32)


def check(model, parted, x, target):
    network = lower(parted, "relay", attention=True)
    assert any(population.attention for population in network.populations)
    output, spikes = spikes_of(model, x)
    sent, logits = run_real(network, x)
    fired = 0
    for population in network.populations:
        if population.kind == "lif":
            wanted = spikes[population.name].reshape(sent[population.name].shape)
            np.testing.assert_array_equal(sent[population.name], wanted, population.name)
            fired += int(wanted.sum())
    assert fired
    np.testing.assert_allclose(logits, output, rtol=1e-9, atol=1e-9)
    check_integers(parted, network, x, target, sent)


def check_integers(parted, network, x, target, sent):
    nodes = {node.name: node for node in (*parted.nodes, *network.encoder.nodes)}
    whole = parted.with_nodes(nodes.values())
    wanted = [n for p in network.populations for n in (p.node, p.current, p.host) if n]
    chip = quantize(network, target, calibrate(whole, x, wanted)).network
    assert not misaligned(chip)
    outputs = list(dict.fromkeys(i.encoder_output for i in chip.injections))
    injected, _ = injections_of(chip, whole, evaluate(whole, x, outputs), len(x))
    names = [p.name for p in chip.populations]
    slow = run_reference(chip, injected)
    for run in (run_functional, run_stepwise):
        fast = run(chip, injected, record=names, batch=2)
        for name in names:
            np.testing.assert_array_equal(fast.spikes[name], slow.spikes[name], name)
        np.testing.assert_array_equal(fast.outputs, slow.outputs)
        assert fast.warnings == slow.warnings
    lif = [p.name for p in chip.populations if p.neuron.name == "lif"]
    same = sum(int((slow.spikes[name] == sent[name]).sum()) for name in lif)
    total = sum(slow.spikes[name].size for name in lif)
    assert same / total > 0.9, "integers and reals are far apart"


@pytest.mark.parametrize("name", SPECS)
def test_attended_networks_fire_as_the_model_does(name):
    target = Target.load("hybrid45nm")
    loaded = load(f"{models_folder()}/{SPECS[name]}", random_weights=True)
    graph = infer_signals(trace(loaded.module, loaded.example))
    parted = partition(graph, integer_input_on_chip=True)
    check(loaded.module, parted, events(graph.input.shape[1:]), target)


class AttentiveResidual(nn.Module):
    """stem - LIF - conv - CA(...) + shortcut, twice, as Att-Res-SNN-1 or -2 do."""

    timesteps = 3
    input_signal = "real"

    def __init__(self, variant):
        super().__init__()
        torch.manual_seed(variant)
        self.variant = variant
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.spikes = nn.ModuleList(Neuron(0.5, 0.25, "ge", "hard") for _ in range(3))
        self.convs = nn.ModuleList(nn.Conv2d(4, 4, 3, padding=1) for _ in range(2))
        self.gates = nn.ModuleList(nn.Linear(4, 4) for _ in range(2))
        self.classifier = nn.Linear(4, 3)

    def attend(self, gate, x):
        return torch.sigmoid(gate(x.amax((3, 4))))[..., None, None] * x

    def forward(self, image):
        stream = self.stem(image).unsqueeze(0).repeat(self.timesteps, 1, 1, 1, 1)
        for spike, conv, gate in zip(self.spikes, self.convs, self.gates, strict=False):
            spikes = spike(stream)
            branch = conv(spikes.flatten(0, 1)).view(stream.shape)
            if self.variant == 1:
                stream = self.attend(gate, branch) + stream
            else:
                stream = self.attend(gate, branch + stream)
        return self.classifier(self.spikes[2](stream).mean((3, 4)).mean(0))


class BeforeTheNorm(AttentiveResidual):
    """conv - CA - norm - LIF: the norm behind attention cannot fold into the convolution."""

    def __init__(self):
        super().__init__(1)
        self.norm = nn.BatchNorm2d(4)
        self.norm.running_mean.uniform_(-0.1, 0.1)
        self.norm.running_var.uniform_(0.2, 0.4)
        self.eval()

    def forward(self, image):
        stream = self.stem(image).unsqueeze(0).repeat(self.timesteps, 1, 1, 1, 1)
        current = self.convs[0](self.spikes[0](stream).flatten(0, 1)).view(stream.shape)
        refined = self.attend(self.gates[0], current)
        spikes = self.spikes[1](self.norm(refined.flatten(0, 1)).view(stream.shape))
        return self.classifier(spikes.mean((3, 4)).mean(0))


def test_attention_before_a_norm():
    check_image_model(BeforeTheNorm())


@pytest.mark.parametrize("variant", [1, 2])
def test_attention_in_residual_streams(variant):
    check_image_model(AttentiveResidual(variant))


def check_image_model(model):
    x = torch.rand(SAMPLES, 1, 6, 6, generator=torch.Generator().manual_seed(5))
    parted = partition(infer_signals(trace(model, x[:1])))
    check(model, parted, x.numpy(), Target.load("hybrid45nm"))


UNIT = (
    "; let the host do it between steps (--host-attention), choose a target with a MAC unit"
    " (hybrid45nm), fold fixed gates into the weights of the layer in front, or drop it and"
    " fine-tune"
)


@pytest.mark.parametrize(
    "name, message",
    [
        ("TA on the current",
         "after.0.0, after.1.0 and after.2.0: attention on the current, which needs all time steps"
         f" at once, multiplies at run time, which the chip cannot do{UNIT}"),
        ("CA on the membrane",
         "spike1.attention, spike2.attention and spike3.attention: attention on the membrane"
         f" multiplies at run time, which the chip cannot do{UNIT}"),
    ],
)  # fmt: skip
def test_a_chip_without_a_unit_refuses(name, message):
    _, graph = load_graph(f"{models_folder()}/{SPECS[name]}", random_weights=True)
    with pytest.raises(UnsupportedError) as refused:
        lower(partition(graph, integer_input_on_chip=True), "compose")
    assert str(refused.value) == message


def test_who_does_it():
    assert attention_unit(Target.load("hybrid45nm"), False) == "chip"
    assert attention_unit(Target.load("hybrid45nm"), True) == "chip"
    assert attention_unit(Target.load("loihi2"), True) == "host"
    assert attention_unit(Target.load("loihi2"), False) is None
