"""Tracing attention and codings: the graph computes what the module does, and time is found."""

from __future__ import annotations

import pytest
import torch
from tiny import IMAGE, LIF, Net
from torch import nn

from snndeploy.errors import ModelError
from snndeploy.frontend.torch import trace
from snndeploy.ops import neuron as neuron_op
from snndeploy.ops.evaluate import evaluate
from snndeploy.passes.signals import infer_signals

pytestmark = pytest.mark.torch


def operations(graph):
    return [node.op for node in graph.nodes]


class Encoded(Net):
    """Net with an image [B, 1, 6, 6] to a sequence [3, B, 4, 6, 6] of its own."""

    def __init__(self, encode, **buffers):
        super().__init__()
        self.encode_image = encode
        for name, value in buffers.items():
            self.register_buffer(name, value)

    def encode(self, x):
        return self.encode_image(self, x)


def apart(net, x):
    a = net.stem(x)
    return torch.stack([a, a / ((a * a).amax(1, keepdim=True) + 1), a.clamp(-0.5, 1)])


def cut(net, x):
    a = net.stem(x)[None]
    return torch.cat([a.floor(), a.round(), a.clamp(min=0)], 0)


def swapped(net, x):
    a = net.stem(x)
    sequence = torch.stack([a, 2 * a, 3 * a])
    return torch.cat([sequence[:, :, 2:], sequence[:, :, :2]], 2)[:, :, -1:] + sequence


def ranked(net, x):
    """ASA's masks over channels and steps."""
    a = torch.stack([net.stem(x), net.stem(x) / 2, net.stem(-x)])
    score = a.amax((3, 4)) - a.amin((3, 4))
    limit = score.topk(2, 2).values.amin(2, keepdim=True)
    first = score.topk(1, 0).values
    return ((score >= limit).to(a.dtype) - (score == first).to(a.dtype))[..., None, None] * a


def drawn(net, x):
    return net.stem((x.unsqueeze(0) >= net.draws).float().flatten(0, 1)).unflatten(0, (3, -1))


def bits(net, x):
    """Weighted spikes: bit t of a number of three bits."""
    whole = (x.clamp(0, 1) * 8).floor().clamp(max=7)
    planes = [(whole / 2**t).floor() - 2 * (whole / 2 ** (t + 1)).floor() for t in range(3)]
    return net.stem(torch.stack(planes).flatten(0, 1)).unflatten(0, (3, -1))


def times(net, x):
    """Time to first spike."""
    step = ((1 - x.clamp(0, 1)) * 2).round()
    fired = [(step == float(t)).to(x.dtype) for t in range(3)]
    return net.stem(torch.cat([f.unsqueeze(0) for f in fired]).flatten(0, 1)).unflatten(0, (3, -1))


@pytest.mark.parametrize(
    "encode, used",
    [
        (apart, {"concatenate", "divide", "clamp"}),
        (cut, {"concatenate", "floor", "round", "clamp"}),
        (swapped, {"concatenate", "take"}),
        (ranked, {"top_k", "compare", "min", "max"}),
        (drawn, {"compare"}),
        (bits, {"floor", "clamp", "concatenate"}),
        (times, {"round", "compare", "concatenate"}),
    ],
)
def test_the_graph_computes_what_the_module_does(encode, used):
    """`trace` compares values; here also that nothing was lost, and that time is known."""
    draws = torch.rand((3, 1, 1, 6, 6), generator=torch.Generator().manual_seed(0))
    graph = trace(Encoded(encode, draws=draws), IMAGE)
    assert used <= set(operations(graph))
    first = graph.neurons()[0]
    assert first.axes[:2] == ((("time", 3),), (("batch", 1),))
    if encode in (drawn, bits, times):
        stem = next(node for node in infer_signals(graph).nodes if node.op == "conv")
        source = infer_signals(graph).by_name[stem.inputs[0]]
        assert source.signal.kind == ("integer" if encode is bits else "binary")
        assert not source.signal.constant


class Scale(nn.Module):
    """Channel attention of one step, (1, batch, channels, rows, columns)."""

    def __init__(self, channels=4):
        super().__init__()
        self.mlp = nn.Linear(channels, channels)

    def forward(self, x):
        return torch.sigmoid(self.mlp(x.mean((3, 4))))[..., None, None] * x


class Halved(Scale):
    def forward(self, x):
        return super().forward(x)[:, :, :2]


class AttendedLIF(nn.Module):
    """U = attention(H + X), then LIF."""

    told = "score"

    def __init__(self, attention=None):
        super().__init__()
        self.score, self.inner = attention or Scale(), LIF()

    def step_parameters(self):
        return {**self.inner.neuron_parameters(), "attention": self.told}

    def membranes(self, x):
        carried, found = torch.zeros_like(x[0]), []
        for current in x:
            membrane = self.score((carried + current)[None])[0]
            found.append(membrane)
            carried = 0.5 * membrane * (membrane < 1.0)
        return torch.stack(found)

    def forward(self, x):
        return (self.membranes(x) >= 1.0).to(x.dtype)


def attended(neuron):
    net = Net()
    net.spike2 = neuron
    return net


def test_attention_in_the_membrane_loop():
    torch.manual_seed(1)
    net = attended(AttendedLIF())
    graph = trace(net, IMAGE)
    inner, outer = graph.neurons()
    assert (inner.body, outer.module) == (None, "spike2")
    body = outer.body
    assert [node.op for node in body.nodes if node.op in ("linear", "sigmoid", "multiply")] == [
        "linear", "sigmoid", "multiply",
    ]  # fmt: skip
    assert body.by_name["linear"].module == "spike2.score.mlp"
    assert body.timesteps == 1
    assert body.input.step_shape == body.by_name[body.outputs[0]].step_shape == (4, 4, 4)
    x = torch.randn((3, 5, 4, 4, 4), dtype=torch.float64) * 2
    membranes = torch.stack([membrane for membrane, _ in neuron_op.run(outer, x)])
    wanted = net.double().spike2.membranes(x)
    assert torch.allclose(membranes, wanted, atol=1e-12)
    assert torch.equal(neuron_op.evaluate(outer, [x], 5, 3), net.spike2(x))
    image = torch.rand((7, 1, 6, 6), generator=torch.Generator().manual_seed(2))
    answer = net.float()(image)
    assert torch.allclose(evaluate(graph, image.numpy())["linear"], answer, atol=1e-6)


def test_signals_reach_into_the_loop():
    graph = infer_signals(trace(attended(AttendedLIF()), IMAGE, verify=False))
    body = graph.neurons()[1].body
    assert {node.signal.kind for node in body.nodes} == {"real"}


def test_attention_of_the_wrong_name():
    net = attended(AttendedLIF())
    net.spike2.told = "attention"
    with pytest.raises(ModelError) as caught:
        trace(net, IMAGE)
    assert str(caught.value) == (
        "neuron spike2 has attention 'attention', which is none of its submodules"
        " (inner, score, score.mlp)"
    )


def test_attention_of_another_shape():
    with pytest.raises(ModelError) as caught:
        trace(attended(AttendedLIF(Halved())), IMAGE)
    assert str(caught.value) == (
        "the attention 'spike2.score' maps a membrane of shape (4, 4, 4) to (2, 4, 4); the same"
        " shape is needed"
    )


def test_attention_that_the_neuron_does_not_apply():
    class Careless(AttendedLIF):
        def forward(self, x):
            return self.inner(x)

    torch.manual_seed(1)
    with pytest.raises(ModelError) as caught:
        trace(attended(Careless()), IMAGE)
    assert str(caught.value).startswith(
        "neuron 'spike2' does not do what it states (fires at U >= 1, decay 0.5, hard reset,"
        " v_reset 0): in step 1 it returns 1 where the membrane is "
    )


def test_models_without_neurons_are_costed_only_when_asked_for():
    plain = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32, 2))
    graph = trace(plain, IMAGE, timesteps=1, spiking=False)
    assert operations(graph) == ["input", "conv", "relu", "view", "linear"]
