"""Neurons behind convolutions: one count for every command, against the module's own layers."""

from __future__ import annotations

import pytest

from snndeploy.analysis.layers import layers_of_model
from snndeploy.costs.layers import neuron_layers
from snndeploy.frontend.load import load
from snndeploy.frontend.torch import trace
from snndeploy.passes.partition import partition
from snndeploy.passes.signals import infer_signals
from snndeploy.passes.streams import convolution_neurons
from snndeploy.pipeline import load_graph

torch = pytest.importorskip("torch")
from tiny_model import LIF  # noqa: E402
from torch import nn  # noqa: E402

pytestmark = pytest.mark.torch


class Net(nn.Module):
    """A chain of named layers over [B, ...] at every step; input_shape is a sample's."""

    timesteps = 2

    def __init__(self, input_shape: tuple[int, ...], *layers: tuple[str, nn.Module]) -> None:
        super().__init__()
        self.input_shape = input_shape
        self.names = [name for name, _ in layers]
        for name, layer in layers:
            self.add_module(name, layer)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        value = x.unsqueeze(0).repeat(self.timesteps, *[1] * x.dim())
        for name in self.names:
            layer = getattr(self, name)
            over = name.startswith("spike")
            value = layer(value) if over else torch.stack([layer(step) for step in value])
        return value.mean(dim=0)


# A line of sound; a plane that is flattened before its neurons; a fold behind a linear layer.
NETS = {
    "conv1d": Net(
        (2, 12), ("conv", nn.Conv1d(2, 3, 3)), ("spike", LIF()), ("flat", nn.Flatten()),
        ("linear", nn.Linear(30, 4)), ("spike_out", LIF()),
    ),
    "flattened": Net(
        (1, 6, 6), ("conv", nn.Conv2d(1, 3, 3)), ("flat", nn.Flatten()), ("spike", LIF()),
        ("linear", nn.Linear(48, 4)), ("spike_out", LIF()),
    ),
    "handed on": Net(
        (1, 6, 6), ("conv", nn.Conv2d(1, 3, 3)), ("spike", LIF()), ("pool", nn.AvgPool2d(2)),
        ("spike_pooled", LIF()), ("flat", nn.Flatten()), ("linear", nn.Linear(12, 4)),
        ("spike_out", LIF()),
    ),
    "folded": Net(
        (16,), ("linear", nn.Linear(16, 16)), ("fold", nn.Unflatten(1, (1, 4, 4))),
        ("spike_out", LIF()), ("flat", nn.Flatten()), ("head", nn.Linear(16, 4)),
    ),
}  # fmt: skip
BEHIND = {
    "conv1d": {"spike": 3 * 10},
    "flattened": {"spike": 3 * 4 * 4},
    "handed on": {"spike": 3 * 4 * 4, "spike_pooled": 3 * 2 * 2},
    "folded": {},
}


@pytest.mark.parametrize("name", NETS)
def test_both_counts_are_the_networks(name: str) -> None:
    net = NETS[name].eval()
    graph = trace(net, torch.zeros(1, *net.input_shape), verify=False)
    graph = partition(infer_signals(graph))
    counted = {n.label: n.neurons for n in neuron_layers(graph) if n.behind_convolution}
    analysed = {n.name: n.neurons for n in layers_of_model(graph) if n.kind == "conv"}
    assert counted == analysed == BEHIND[name]
    assert "spike_out" in {graph.by_name[n.name].label for n in neuron_layers(graph)}
    assert len(convolution_neurons(graph)) == len(BEHIND[name])


def test_a_neuron_that_reads_the_encoders_spikes_is_behind_its_convolution() -> None:
    """Direct coding: the first block fires on the stem's spikes, with no layer between."""
    found = load("direct-digits")
    sizes: list[int] = []
    for module in found.module.modules():
        if type(module).__name__ == "LIF":
            module.register_forward_hook(lambda m, x, spikes: sizes.append(spikes[0, 0].numel()))
    with torch.no_grad():
        found.module(found.example)
    _, graph = load_graph("direct-digits")
    counted = {n.label: n.neurons for n in neuron_layers(graph) if n.behind_convolution}
    analysed = {n.name: n.neurons for n in layers_of_model(graph) if n.kind == "conv"}
    assert counted == analysed
    assert sum(counted.values()) == sum(sizes) == 17_728, "all its neurons lie on planes"
