"""Tracing torch models: what dimensions mean, what is refused, and in which words."""

from __future__ import annotations

import pytest
import torch
from tiny import IMAGE, LIF, Net
from torch import nn
from torch.nn import functional

from snndeploy.errors import ModelError, UnsupportedError
from snndeploy.frontend.torch import trace
from snndeploy.graph import to_text
from snndeploy.ops.axes import expand_axes, input_axes, view_axes

pytestmark = pytest.mark.torch

BATCH = (("batch", 1),)
WAY_OUT = (
    "; move it out of the traced model, or express it with conv, linear, norm, pool, add, multiply,"
    " mean or a neuron"
)


def time(steps):
    return (("time", steps),)


def features(*counts):
    return tuple((("feature", count),) for count in counts)


def operations(graph):
    return [node.op for node in graph.nodes]


def test_the_graph_of_a_small_net():
    assert to_text(trace(Net(), IMAGE, name="net")) == (
        "graph net timesteps=3 outputs=linear\n"
        "input = input() [1x1x6x6] signal=real\n"
        "conv2d = conv(input) [1x4x6x6] dilation=[1, 1] groups=1 padding=[1, 1, 1, 1]"
        " stride=[1, 1]\n"
        "unsqueeze = view(conv2d) [1x1x4x6x6]\n"
        "repeat = expand(unsqueeze) [3x1x4x6x6]\n"
        "mul = scale(repeat) [3x1x4x6x6] factor=4.0 offset=0.0\n"
        "neuron = neuron(mul) [3x1x4x6x6] decay=0.5 fires_at=ge kind=lif reset=hard"
        " threshold=1.0"
        " time_axis=0 timesteps=3 v_reset=0.0\n"
        "view = view(neuron) [3x4x6x6]\n"
        "conv2d_1 = conv(view) [3x4x4x4] dilation=[1, 1] groups=1 padding=[0, 0, 0, 0]"
        " stride=[1, 1]\n"
        "view_1 = view(conv2d_1) [3x1x4x4x4]\n"
        "mul_1 = scale(view_1) [3x1x4x4x4] factor=4.0 offset=0.0\n"
        "neuron_1 = neuron(mul_1) [3x1x4x4x4] decay=0.5 fires_at=ge kind=lif reset=hard"
        " threshold=1.0"
        " time_axis=0 timesteps=3 v_reset=0.0\n"
        "mean = mean(neuron_1) [3x1x4] dimensions=[3, 4] keep=False\n"
        "mean_1 = mean(mean) [1x4] dimensions=[0] keep=False\n"
        "linear = linear(mean_1) [1x2]\n"
    )


@pytest.mark.parametrize("steps", [1, 3, 61])
@pytest.mark.parametrize("time_first", [False, True])
@pytest.mark.parametrize("channels", [1, 2])
def test_sequences_of_frames_in_either_order(steps, time_first, channels):
    class Frames(nn.Module):
        timesteps = steps

        def __init__(self):
            super().__init__()
            self.conv, self.spike = nn.Conv2d(channels, 2, 3), LIF()

        def forward(self, x):
            x = x if time_first else x.transpose(0, 1)
            return self.spike(self.conv(x.flatten(0, 1)).unflatten(0, x.shape[:2])).mean((0, 3, 4))

    shape = (steps, 1, channels, 5, 5) if time_first else (1, steps, channels, 5, 5)
    graph = trace(Frames(), torch.zeros(shape))
    assert graph.input.axes == (BATCH, time(steps), *features(channels, 5, 5))  # samples first
    (neuron,) = graph.neurons()
    assert neuron.axes == (time(steps), BATCH, *features(2, 3, 3))


@pytest.mark.parametrize("steps", [1, 4])
def test_networks_of_features(steps):
    class Features(nn.Module):
        timesteps = steps

        def __init__(self):
            super().__init__()
            self.linear, self.spike = nn.Linear(5, 3), LIF()

        def forward(self, x):
            return self.spike(self.linear(x).expand(self.timesteps, -1, -1)).mean(0)

    graph = trace(Features(), torch.zeros(1, 5))
    (neuron,) = graph.neurons()
    assert neuron.axes == (time(steps), BATCH, *features(3))


def test_time_behind_the_batch():
    class BatchFirst(LIF):
        time_axis = 1

    class Features(nn.Module):
        timesteps = 4

        def __init__(self):
            super().__init__()
            self.linear, self.spike = nn.Linear(5, 3), BatchFirst()

        def forward(self, x):
            return self.spike(self.linear(x)).mean(1)

    graph = trace(Features(), torch.zeros(1, 4, 5))
    assert graph.neurons()[0].axes == (BATCH, time(4), *features(3))


def test_models_that_change_their_input_in_place():
    class InPlace(Net):
        def encode(self, x):
            x.unsqueeze_(0)
            x += 1
            return self.stem(x.squeeze(0)).unsqueeze(0).repeat(self.timesteps, 1, 1, 1, 1)

    example = IMAGE.clone()
    trace(InPlace(), example)
    assert torch.equal(example, IMAGE)


def test_padding_becomes_part_of_convolutions():
    even = trace(Net(stem=nn.Conv2d(1, 4, 4, padding="same")), IMAGE)
    assert even.by_name["conv2d"].attributes["padding"] == [1, 2, 1, 2]
    padded = nn.Sequential(nn.ZeroPad2d((1, 0, 2, 0)), nn.Conv2d(1, 4, 3, padding=1))
    by_hand = trace(Net(stem=padded), IMAGE)
    assert by_hand.by_name["conv2d"].attributes["padding"] == [3, 1, 2, 1]
    assert "pad" not in operations(by_hand)


@pytest.mark.parametrize(
    "pool", [nn.AdaptiveAvgPool2d(3), nn.AvgPool2d(2), nn.MaxPool2d(2), nn.AdaptiveMaxPool2d(3)]
)
def test_pools(pool):
    graph = trace(Net(stem=nn.Sequential(pool, nn.Conv2d(1, 4, 3, padding=1))), IMAGE)
    node = next(node for node in graph.nodes if node.op.endswith("_pool"))
    assert (node.attributes["kernel"], node.attributes["stride"]) == ([2, 2], [2, 2])


def test_numbers_fold_into_scales():
    class Scaled(Net):
        def __init__(self):
            super().__init__()
            self.gain = nn.Parameter(torch.tensor([2.0]))

        def encode(self, x):
            return super().encode(self.gain * (1 - (-x)) / 4 + 0.5)

    graph = trace(Scaled(), IMAGE)
    scales = [n.attributes for n in graph.nodes if n.op == "scale"][:5]
    assert [(s["factor"], s["offset"]) for s in scales] == [
        (-1.0, 0.0), (-1.0, 1.0), (2.0, 0.0), (0.25, 0.0), (1.0, 0.5)
    ]  # fmt: skip


def test_one_neuron_module_in_two_places():
    class Shared(Net):
        def __init__(self):
            super().__init__()
            self.spike2 = self.spike1

    graph = trace(Shared(), IMAGE)
    assert [node.module for node in graph.neurons()] == ["spike1", "spike1"]


def test_calls_without_use_are_left_out():
    class Careless(Net):
        def forward(self, x):
            torch.fft.fft(x)
            self.spike1(self.encode(x.float()))
            return super().forward(x)

    assert operations(trace(Careless(), IMAGE)) == operations(trace(Net(), IMAGE))


STORED = torch.arange(36.0).view(6, 6)
STORED_ROWS = torch.zeros(61, 1, 2, 6)  # of as many samples as are traced


class Changed(Net):
    """Net with a function of the image in front."""

    def __init__(self, change):
        super().__init__()
        self.change = change

    def encode(self, x):
        return super().encode(self.change(x))


@pytest.mark.parametrize(
    "change, message",
    [
        (torch.exp, "operation aten.exp cannot be compiled: the compiler does not know it"),
        (lambda x: functional.pad(x, (0, 0, 0, 0, 0, 1))[:, :1],
         "operation aten.pad cannot be compiled: only rows and columns can be padded, and not by"
         " negative amounts"),
        (lambda x: functional.pad(x, (1, 1, 1, 1), value=2.0),
         "operation aten.pad cannot be compiled: only padding with zeros, or with what lies at the"
         " edges, is supported"),
        (lambda x: x + x.mean(),
         "operation aten.mean cannot be compiled: it reduces over the batch dimension, so that"
         " samples see each other"),
        (lambda x: x * STORED,
         "operation aten.mul.Tensor cannot be compiled: a stored tensor that varies along more"
         " than the channels is no norm"),
        (lambda x: 1 / (x + 2),
         "operation aten.reciprocal cannot be compiled: the compiler does not know it"),
        (lambda x: x.topk(6, largest=False).values,
         "operation aten.topk cannot be compiled: the smallest values are not supported; negate the"
         " input"),
        (lambda x: x + x.topk(1).indices,
         "operation aten.topk cannot be compiled: its result number 1 is used"),
        (lambda x: x + x[:, :, 2:2].sum(),
         "operation aten.slice.Tensor cannot be compiled: it takes nothing"),
        (lambda x: x[0:1] + x,
         "operation aten.slice.Tensor cannot be compiled: it takes a part over the batch dimension,"
         " so that samples see each other"),
        (lambda x: torch.cat([x, STORED_ROWS], 2),
         "operation aten.cat cannot be compiled: one of its parts is a stored tensor"),
        (lambda x: torch.ge(STORED, x).float(),
         "operation aten.ge.Tensor cannot be compiled: its first operand is a stored tensor; write"
         " the signal first"),
        (lambda x: x.topk(2, dim=0).values,
         "operation aten.topk cannot be compiled: it ranks over the batch dimension, so that"
         " samples see each other"),
        (lambda x: x.int().float(),
         "operation aten._to_copy cannot be compiled: it converts values to int32"),
        (nn.AvgPool2d(2, divisor_override=3),
         "operation aten.avg_pool2d in module 'change' cannot be compiled: average pooling with a"
         " divisor of its own is not supported"),
    ],
)  # fmt: skip
def test_what_cannot_be_compiled_is_named(change, message):
    with pytest.raises(UnsupportedError) as caught:
        trace(Changed(change), IMAGE)
    assert str(caught.value) == message + WAY_OUT


def test_a_model_that_raises_while_it_is_traced():
    def fail(x):
        raise RuntimeError("no such thing")

    with pytest.raises(ModelError) as caught:
        trace(Changed(fail), IMAGE)
    assert str(caught.value) == (
        f"the model cannot be traced: test_trace.py:{fail.__code__.co_firstlineno + 1}:"
        " RuntimeError: no such thing; run it on one input of shape (1, 6, 6) to see where it stops"
    )


@pytest.mark.parametrize(
    "model, example, options, message",
    [
        (nn.Linear(2, 2), torch.zeros(1, 2), {},
         "the model does not say its number of time steps; give it an attribute `timesteps`"),
        (nn.Linear(2, 2), torch.zeros(1, 2), {"timesteps": 3},
         "no spiking neuron was recognised in the model; give its neurons a method"
         " neuron_parameters(), or an adapter with --adapters"),
        (Net(), IMAGE, {"input_signal": "analog"},
         "input signal 'analog' is not one of binary, integer, real"),
        (Net(), torch.zeros(2, 1, 6, 6), {},
         "the example input must hold one sample; its shape is (2, 1, 6, 6)"),
        (Net(), torch.zeros(1), {}, "an input of shape (1,) is neither image nor sequence"),
        (Net(), torch.zeros(1, 5, 1, 6, 6), {}, "the model cannot be traced"),
    ],
)  # fmt: skip
def test_models_and_inputs_that_cannot_be_traced(model, example, options, message):
    with pytest.raises(ModelError) as caught:
        trace(model, example, **options)
    assert str(caught.value).startswith(message)


def test_a_sequence_of_another_length():
    class Frames(nn.Module):
        timesteps = 4

        def __init__(self):
            super().__init__()
            self.spike = LIF()

        def forward(self, x):
            return self.spike(x.transpose(0, 1)).mean(0)

    with pytest.raises(ModelError) as caught:
        trace(Frames(), torch.zeros(1, 5, 3))
    assert str(caught.value) == "an input sample has 5 steps, the model 4 time steps"


def test_a_neuron_on_the_wrong_axis():
    class Wrong(LIF):
        time_axis = 1

    with pytest.raises(UnsupportedError) as caught:
        trace(Net(neuron=Wrong), IMAGE)
    assert caught.value.reason == (
        "dimension 1 of its input should be the 3 time steps, but is batch 1"
    )


def test_views_keep_track_of_time_and_batch():
    sequence = (time(4), BATCH, *features(6, 5))
    folded = ((("time", 4), ("batch", 1)), *features(6, 5))
    assert view_axes(sequence, (4 * 61, 6, 5), 4) == folded
    assert view_axes(folded, (4, 61, 30), 4) == (
        time(4), BATCH, (("feature", 6), ("feature", 5))
    )  # fmt: skip
    assert view_axes(sequence, (4, 61, 2, 3, 5), 4) == (time(4), BATCH, *features(2, 3, 5))
    with pytest.raises(ValueError, match="a view tears the time axis apart"):
        view_axes(sequence, (2, 2 * 61, 6, 5), 4)
    with pytest.raises(ValueError, match="a view tears the feature axis apart"):
        view_axes(sequence, (4, 61, 4, 30), 4)


def test_a_single_step_is_time_where_a_sequence_begins():
    image = (BATCH, *features(1, 6, 6))
    sequence = view_axes(image, (1, 61, 1, 6, 6), 1)
    assert sequence == (time(1), BATCH, (), *features(6, 6))
    assert expand_axes(sequence, (1, 61, 1, 6, 6), 1) == sequence
    behind = view_axes(image, (61, 1, 1, 6, 6), 1)
    assert behind == (BATCH, time(1), (), *features(6, 6))
    flat = view_axes(behind, (61, 1, 6, 6), 1)
    assert flat == ((*BATCH, ("time", 1)), (), *features(6, 6))


def test_growth_to_the_number_of_steps_is_time_only_in_front():
    assert expand_axes((BATCH, (), ()), (61, 4, 4), 4) == (BATCH, time(4), *features(4))
    assert expand_axes((BATCH, *features(2), ()), (61, 2, 4), 4) == (BATCH, *features(2, 4))
    with pytest.raises(ValueError, match="repeating a dimension of 2 to 8 is not supported"):
        expand_axes((BATCH, *features(2)), (61, 8), 4)


def test_input_axes():
    assert input_axes((61, 3, 8, 8), 0, 4, timed=False) == (BATCH, *features(3, 8, 8))
    assert input_axes((4, 61, 9), 1, 4, timed=True) == (time(4), BATCH, *features(9))


# thresholds a channel


class ChannelLIF(LIF):
    def __init__(self):
        super().__init__()
        self.register_buffer("thresholds", torch.tensor([0.25, 1.0, 0.5, 2.0]))

    def neuron_parameters(self):
        return {**super().neuron_parameters(), "threshold": self.thresholds}

    def spike(self, membrane):
        return (membrane >= self.thresholds.view(-1, 1, 1)).to(membrane.dtype)


def test_thresholds_a_channel_scale_the_currents():
    graph = trace(Net(neuron=ChannelLIF), IMAGE)
    for neuron in graph.neurons():
        front = graph.by_name[neuron.inputs[0]]
        assert (front.op, front.attributes) == ("norm", {"channel_axis": 2})
        assert front.parameters["scale"].tolist() == [1.0, 0.25, 0.5, 0.125]
        assert neuron.attributes["threshold"] == 0.25
        assert "channel_scale" not in neuron.attributes


def test_another_number_of_thresholds_than_channels():
    class Fewer(ChannelLIF):
        def neuron_parameters(self):
            return {**super().neuron_parameters(), "threshold": self.thresholds[:3]}

    with pytest.raises(ModelError) as caught:
        trace(Net(neuron=Fewer), IMAGE)
    assert str(caught.value) == "neuron 'spike1' states 3 thresholds, and its input has 4 channels"
