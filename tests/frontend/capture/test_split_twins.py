"""ASA-SNN's masks, written at the places of the largest values: read as one operator.

The published code marks, for every sample of a batch, the places of all its samples.
"""

from __future__ import annotations

import pytest
import torch
from residual_twins import live
from spiking_graphs import opened
from split_twins import SplitNet
from torch import nn

from snndeploy.data import Data
from snndeploy.errors import UnsupportedError
from snndeploy.frontend.capture import roll
from snndeploy.frontend.torch import trace
from snndeploy.ops.evaluate import evaluate
from snndeploy.pipeline import Options, compile_opened
from snndeploy.simulator.run import simulate
from snndeploy.target import Target

pytestmark = pytest.mark.torch
SAMPLES, STEPS = 8, 4
FRAMES = torch.randint(0, 3, (SAMPLES, STEPS, 2, 6, 6), generator=torch.Generator().manual_seed(1))
FRAMES = FRAMES.float()
TOLD = "module 'attentions.0', 'attentions.1' chooses for all samples of a batch together"


def answers(net, frames):
    for cell in net.spikes:
        cell[0].reset()
    with torch.no_grad():
        return net(frames.clone())


def alone(net):
    """Each sample in a batch of two that are equal: of one, the code drops the dimension."""
    return torch.stack([answers(net, frame.expand(2, *frame.shape))[0][0] for frame in FRAMES])


@pytest.fixture(scope="module")
def traced():
    torch.manual_seed(0)
    net = live(SplitNet(STEPS), FRAMES)
    with pytest.MonkeyPatch.context() as patch:  # scores are no steps, at whatever step one looks
        patch.setattr(roll, "MOST_ATTEMPTS", 0)
        return net, trace(net, FRAMES[:1], input_signal="integer")


def test_equal_one_sample_at_a_time_with_live_spikes(traced):
    (net, graph), rates = traced, []

    def rate(node, inputs, value):
        if node.is_neuron:
            rates.append(float(value.mean()))
        return value

    (ours,) = evaluate(graph, FRAMES.numpy(), hoist=False, observe=rate).values()
    assert (ours - alone(net)).abs().max() < 1e-6
    assert len(rates) == 3 and all(0.05 < rate < 0.6 for rate in rates), rates
    masks = [node for node in graph.nodes if node.op == "top_k_mask"]
    assert [node.attributes["count"] for node in masks] == [3, 2, 3, 2]


def test_how_much_the_batch_matters_is_said(traced):
    net, graph = traced
    (said,) = (note for note in graph.notes if note.startswith(TOLD))
    assert float(said.rpartition(" ")[2]) >= 0.25  # at least one spike of four steps
    assert (answers(net, FRAMES)[0] - alone(net)).abs().max() >= 0.25


def test_compiled_and_simulated(traced):
    _, graph = traced
    data = Data(FRAMES.numpy(), None, 1.0, "frames")
    options = Options(calibration=data, mapping="tiles", weights="double")
    program = compile_opened(opened(graph), Target.load("hybrid45nm"), options)
    layers = simulate(program, FRAMES.numpy()).layers.values()
    agreeing = [l.matching / (l.neurons * STEPS * SAMPLES) for l in layers if l.matching]
    assert len(agreeing) == 3 and agreeing[0] > 0.97 and min(agreeing) > 0.85, agreeing


class Masked(nn.Module):
    """Neurons that read the values whose channels are chosen by `of`."""

    timesteps = 3

    def __init__(self, of):
        super().__init__()
        self.of, self.conv = of, nn.Conv2d(2, 6, 3, padding=1)

    def forward(self, x):
        current, mem, spikes = self.conv(x) * 2, 0, []
        current = current * self.of(current.mean((2, 3)))[:, :, None, None]
        for _ in range(self.timesteps):
            mem = mem * 0.5 + current
            spike = (mem > 0.5).float()
            mem = mem * (1 - spike)
            spikes.append(spike)
        return torch.stack(spikes).mean(0)


def written_at_once(scores):
    return torch.zeros_like(scores).scatter_(1, scores.topk(2, 1).indices, 1.0)


def chosen_twice(scores):
    return written_at_once(scores) + torch.where(written_at_once(-scores) == 1, 0.25, 1.5)


@pytest.mark.parametrize("of, masks", [(written_at_once, 1), (chosen_twice, 2)])
def test_masks_written_at_once(of, masks):
    net, x = Masked(of), torch.randn(SAMPLES, 2, 5, 5)
    graph = trace(net, x[:1])
    assert sum(node.op == "top_k_mask" for node in graph.nodes) == masks
    assert not any("together" in note for note in graph.notes)
    (ours,) = evaluate(graph, x.numpy(), hoist=False).values()
    with torch.no_grad():
        assert torch.equal(ours.reshape(SAMPLES, -1), net(x).reshape(SAMPLES, -1))


def of_the_smallest(scores):
    return torch.zeros_like(scores).scatter_(1, scores.topk(2, 1, largest=False).indices, 1.0)


def places_as_values(scores):
    return scores.topk(6, 1).indices.float()


def several_at_a_place(scores):
    return torch.zeros_like(scores).scatter_add_(1, scores.topk(2, 1).indices, scores)


@pytest.mark.parametrize("of", [of_the_smallest, places_as_values, several_at_a_place])
def test_what_is_no_such_mask_is_refused_by_name(of):
    with pytest.raises(UnsupportedError) as caught:
        trace(Masked(of), torch.zeros(1, 2, 5, 5))
    assert "topk" in str(caught.value), caught.value
