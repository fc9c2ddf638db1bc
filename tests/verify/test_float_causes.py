"""Against the float model: soft reset and saturation, the membranes and the cause told truly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from snndeploy.pipeline import compile
from snndeploy.program import Program
from snndeploy.target import Target
from snndeploy.verify import verify
from snndeploy.verify.divergence import Divergence

pytestmark = pytest.mark.torch

MODEL = """
import torch
from random_models import Neuron
from torch import nn

class Net(nn.Module):
    timesteps, input_shape, input_signal = {steps}, ({steps}, {inputs}), "binary"

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Linear({inputs}, {neurons})
        self.spike = Neuron(1.0, {decay}, "ge", {reset!r})
        self.last = nn.Linear({neurons}, 2)
        {weights}

    def forward(self, x):
        return self.last(self.spike(self.first(x.transpose(0, 1)))).mean(0)

def net():
    return Net()
"""


def compiled(folder: Path, x: np.ndarray, target: Target, **values: object) -> Program:
    model, data = folder / "model.py", folder / "data.npz"
    model.write_text(MODEL.format(steps=x.shape[1], inputs=x.shape[2], **values))
    np.savez(data, x=x, y=np.zeros(len(x), dtype=np.int64))
    return compile(f"{model}:net", target=target, random_weights=True, calibration=data)


def first_of(program: Program, x: np.ndarray) -> Divergence:
    found, *_ = verify(program, x)
    assert found.passed
    first = found.links[-1].first
    assert first is not None
    return first


def membranes(program: Program, x: np.ndarray, first: Divergence, decay: float, soft: bool):
    """U in double precision and v of the chip in real units, by the two equations alone."""
    (node,) = [n for n in program.model.nodes if n.op == "linear" and n.step_shape != (2,)]
    weight = node.parameters["weight"].astype(np.float64)[first.neuron[0]]
    bias = float(node.parameters["bias"][first.neuron[0]])
    (wire, *_) = program.network.projections
    population = program.network.by_name[wire.target]
    integers = wire.connection.weight[first.neuron[0], :, 0, 0].astype(np.int64)
    neuron, own = population.neuron, int(population.own_bias[first.neuron])
    carried, v = 0.0, 0
    for now in x[first.sample, : first.step + 1]:
        u = carried + float(weight @ now) + bias
        carried = decay * (u - (u >= 1)) if soft else decay * u * (u < 1)
        kept = int(np.sign(v)) * ((abs(v) * (4096 - neuron.membrane_decay)) >> 12)
        total = kept + (int(integers @ now.astype(np.int64)) << wire.exponent << 6) + own
        total = max(-(2**23) + 1, min(2**23 - 1, total))
        fired = total > neuron.threshold << 6
        v = (total - (neuron.reset_amount << 6) if soft else 0) if fired else total
    return u, total * population.scale / 64


def test_soft_reset(tmp_path: Path):
    x = (np.random.default_rng(0).random((24, 8, 40)) < 0.4).astype(np.float32)
    target = Target.load("hybrid45nm")
    assert target.soft_reset
    scaled = "torch.nn.init.normal_(self.first.weight, std=0.4)"
    program = compiled(tmp_path, x, target, neurons=30, decay=0.9, reset="soft", weights=scaled)
    first = first_of(program, x)
    u, v = membranes(program, x, first, 0.9, soft=True)
    assert first.expected_membrane == pytest.approx(u, rel=1e-6)
    assert first.found_membrane == v
    assert (first.expected_membrane >= 1) == bool(first.expected_spike)
    assert first.found_above is not None
    assert (v > first.found_above) == bool(first.found_spike)
    assert first.cause == "weight rounding"


def test_saturation(tmp_path: Path):
    """Leak-free neurons inhibited until 24 bits are full, then excited; calibration saw nothing of
    it, and the compiler said that it cannot exclude it."""
    x = np.zeros((4, 2000, 20), dtype=np.float32)
    quiet = x.copy()
    x[:, :1000, 10:], x[:, 1000:, :10] = 1, 1
    quiet[:, :5, :10] = 1
    signed = (
        "self.first.weight.data.copy_(0.13 * torch.tensor([1.0] * 10 + [-1.05] * 10).repeat(3, 1))"
        "; self.first.bias.data.zero_()"
    )
    program = compiled(
        tmp_path, quiet, Target.load("loihi2"), neurons=3, decay=1.0, reset="hard", weights=signed
    )
    assert any("saturates at 8,388,607" in note for note in program.facts.notes)
    first = first_of(program, x)
    u, v = membranes(program, x, first, 1.0, soft=False)
    assert first.cause == "membrane saturated at 24 bits"
    assert first.expected_membrane == pytest.approx(u, rel=1e-6)
    assert first.found_membrane == v
    assert (first.expected_spike, first.found_spike) == (0, 1)
