"""Layers as people write them: on the chip exactly, or refused by name with what to do instead."""

from __future__ import annotations

import pytest
import torch
from lowering_checks import check_model
from operation_kit import STEPS, InEncoder, Net, OnChip, over_time
from random_models import Neuron
from torch import nn

from snndeploy.errors import UnsupportedError
from snndeploy.frontend.torch import trace
from snndeploy.lower.lower import lower
from snndeploy.passes.partition import partition
from snndeploy.passes.signals import infer_signals
from snndeploy.target import Target

pytestmark = pytest.mark.torch


class OnLines(nn.Module):
    """A layer, neurons, the layers, neurons, and a readout, on lines of values over time."""

    timesteps, input_signal, input_shape = STEPS, "binary", (STEPS, 2, 11)
    time_first, readout = False, "mean"
    example = Net.example

    def __init__(self, *layers):
        super().__init__()
        torch.manual_seed(1)
        self.first, self.layers = nn.Conv1d(2, 3, 3, padding=1), nn.Sequential(*layers)
        self.neurons = nn.ModuleList(Neuron(0.25, 0.5, "gt") for _ in range(2))
        self.last = nn.LazyLinear(2)
        with torch.no_grad():
            self(self.example())
            for value in self.parameters():
                value.copy_(torch.randint(-4, 5, value.shape) / 4)

    def forward(self, events):
        fired = self.neurons[0](over_time(self.first, events.transpose(0, 1)))
        return self.last(self.neurons[1](over_time(self.layers, fired)).flatten(2)).mean(0)


class OnVolumes(OnChip):
    """The layers take (batch, channels, time, rows, columns)."""

    def between(self, fired):
        return self.toy(fired.permute(1, 2, 0, 3, 4)).permute(2, 0, 1, 3, 4)


LINEAR = {
    "transposed": lambda: nn.ConvTranspose2d(3, 4, 3, 2, 1, output_padding=1),
    "transposed, in groups": lambda: nn.ConvTranspose2d(3, 3, (2, 4), (2, 3), groups=3),
    "transposed twice": lambda: nn.Sequential(
        nn.ConvTranspose2d(3, 2, 2, 2), nn.ConvTranspose2d(2, 2, 3, 1, 1)
    ),
    "upsampled": lambda: nn.Upsample(scale_factor=2),
    "upsampled, then convolved": lambda: nn.Sequential(
        nn.Upsample(scale_factor=(2, 3)), nn.Conv2d(3, 2, 3, padding=1)
    ),
    "upsampled and normed": lambda: nn.Sequential(
        nn.Upsample(scale_factor=2), nn.Conv2d(3, 2, 3, padding=1), nn.BatchNorm2d(2).eval()
    ),
    "padded average": lambda: nn.AvgPool2d(4, 2, 1),
    "padded average, then convolved": lambda: nn.Sequential(
        nn.AvgPool2d(2, 2, 1), nn.Conv2d(3, 2, 3)
    ),
    "averages of what is inside": lambda: nn.AvgPool2d(2, 2, 1, count_include_pad=False),
    "averages cut off": lambda: nn.AvgPool2d(2, ceil_mode=True),
    "averages of uneven windows": lambda: nn.AdaptiveAvgPool2d((5, 4)),
    "overlapping averages": lambda: nn.AvgPool2d(2, 1),
    "any spike, cut off": lambda: nn.MaxPool2d(2, ceil_mode=True),
    "any spike, padded and cut off": lambda: nn.MaxPool2d(2, 3, 1, ceil_mode=True),
    "padded with zeros": lambda: nn.Sequential(nn.ZeroPad2d((1, 0, 2, 1)), nn.Conv2d(3, 2, 3)),
}  # fmt: skip


@pytest.mark.parametrize("name", LINEAR)
def test_linear_layers_and_pools_of_spikes_are_exact_on_the_chip(name):
    check_model(OnChip(LINEAR[name]).eval(), Target.load("loihi2"))


LINES = {
    "convolved": lambda: [nn.Conv1d(3, 4, 5, 2, padding=2), nn.BatchNorm1d(4).eval()],
    "transposed": lambda: [nn.ConvTranspose1d(3, 2, 3, 2)],
    "averaged": lambda: [nn.AdaptiveAvgPool1d(4)],
    "any spike": lambda: [nn.MaxPool1d(2, ceil_mode=True), nn.Conv1d(3, 2, 3, padding=1)],
}


@pytest.mark.parametrize("name", LINES)
def test_lines_are_planes_of_one_column(name):
    check_model(OnLines(*LINES[name]()).eval(), Target.load("loihi2"))


class Votes(nn.Module):
    """Groups of features in a row, each the mean of its votes, as SpikingJelly has it."""

    def __init__(self, pool):
        super().__init__()
        self.pool = pool

    def forward(self, x):
        return self.pool(x.unsqueeze(1)).squeeze(1)


VOTES = {
    "of equal groups": lambda: nn.AvgPool1d(3, 3),
    "of groups that overlap": lambda: nn.AvgPool1d(4, 2),
    "of groups cut off": lambda: nn.AvgPool1d(5, ceil_mode=True),
    "of padded groups": lambda: nn.AvgPool1d(4, 4, 2),
}


@pytest.mark.parametrize("name", VOTES)
def test_features_in_a_row_vote(name):
    layers = nn.Flatten(), nn.Linear(33, 12), Votes(VOTES[name]())
    check_model(OnLines(*layers).eval(), Target.load("loihi2"))


def test_a_kernel_of_one_step_is_one_of_each_plane():
    model = OnVolumes(lambda: nn.Conv3d(3, 4, (1, 3, 3), padding=(0, 1, 1)))
    check_model(model.eval(), Target.load("loihi2"))


REFUSED = {
    "uneven averages, then convolved": (
        lambda: nn.Sequential(nn.AvgPool2d(2, ceil_mode=True), nn.Conv2d(3, 2, 3)),
        "has no single spike-driven kernel: rearranged rows, columns or channels",
        "move it into the encoder",
    ),
    "mirrored": (
        lambda: nn.Conv2d(3, 2, 3, padding=1, padding_mode="reflect"),
        "has no single spike-driven kernel: padding 'reflect' gives edges weights of their own;"
        " zeros have one",
        "move it into the encoder",
    ),
    "uneven maxima": (
        lambda: nn.Sequential(nn.ZeroPad2d(1), nn.AdaptiveMaxPool2d(5)),
        "takes the maximum of windows of different sizes",
        "choose a size that divides the plane, or a kernel and stride",
    ),
    "maxima of currents": (
        lambda: nn.Sequential(nn.Conv2d(3, 2, 2), nn.MaxPool2d(2)),
        "takes the maximum of real values",
        "pool behind the neurons, where it takes the maximum of spikes, or average instead",
    ),
    "groups normalised": (
        lambda: nn.GroupNorm(3, 3),
        "normalises by the mean and deviation of the values themselves",
        "use batch normalisation, whose stored statistics fold into the weights",
    ),
    "layers normalised": (
        lambda: nn.LayerNorm([5, 5]),
        "normalises by the mean and deviation of the values themselves",
        "use batch normalisation, whose stored statistics fold into the weights",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_kernel_does_is_refused_by_name_with_the_nearest_legal_form(name):
    layer, reason, advice = REFUSED[name]
    model = OnChip(layer).eval()
    graph = infer_signals(trace(model, model.example()))
    with pytest.raises(UnsupportedError) as raised:
        lower(partition(graph, integer_input_on_chip=True), "compose")
    assert raised.value.reason == reason
    assert f"cannot run on the chip: it {reason}; {advice}" in str(raised.value)
    assert str(raised.value).startswith("toy")


ENCODED = {
    **{name: layer for name, (layer, _, _) in REFUSED.items()},
    "instances normalised": lambda: nn.InstanceNorm2d(3, affine=True),
    "instances, by what was stored": lambda: nn.InstanceNorm2d(3, track_running_stats=True).eval(),
    "wrapped": lambda: nn.Conv2d(3, 2, 3, padding=1, padding_mode="circular"),
    "repeated at the edges": lambda: nn.ReplicationPad2d((1, 2, 0, 1)),
}


@pytest.mark.parametrize("name", ENCODED)
def test_in_the_encoder_they_are_what_the_module_does(name):
    """`check_model` compares every spike, in real numbers and in the chip's integers."""
    check_model(InEncoder(ENCODED[name]).eval(), Target.load("loihi2"))


def test_a_transposed_layer_keeps_its_kernel():
    """Not one synapse is written out: 4x4 taps for a 3x3 kernel behind 2x2 repeated values."""
    model = OnChip(LINEAR["upsampled, then convolved"]).eval()
    network = lower(
        partition(infer_signals(trace(model, model.example())), integer_input_on_chip=True),
        "compose",
    )
    (population,) = [p for p in network.populations if p.name == "neurons.1"]
    (term,) = population.terms
    assert term.connection.kind == "transposed"
    assert term.connection.weight.shape == (2, 3, 4, 5)
    assert term.connection.stride == (2, 3)
