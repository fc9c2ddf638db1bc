"""Layers of torch, traced and computed from their declarations, give torch's own numbers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from snndeploy.errors import UnsupportedError
from snndeploy.frontend.torch import trace
from snndeploy.ops.evaluate import evaluate
from snndeploy.ops.window_tables import adaptive, regular, sliding

pytestmark = pytest.mark.torch


class Model(nn.Module):
    timesteps = 1

    def __init__(self, layers):
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x):
        return torch.cat([layer(x).flatten(1) for layer in self.layers], 1)


PLANES = [
    nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False),
    nn.AvgPool2d(3, 2, 1, ceil_mode=True),
    nn.AvgPool2d(3, 2, 1, count_include_pad=False),
    nn.AvgPool2d((3, 2), (1, 2)),
    nn.AvgPool2d(2, 3, ceil_mode=True),
    nn.AdaptiveAvgPool2d((4, 14)),
    nn.AdaptiveAvgPool2d((None, 3)),
    nn.AdaptiveMaxPool2d((3, 5)),
    nn.MaxPool2d(3, 2, 1, ceil_mode=True),
    nn.MaxPool2d(2, ceil_mode=True),
    nn.ConvTranspose2d(4, 2, 3, 2, output_padding=1),
    nn.ConvTranspose2d(4, 6, (1, 2), (3, 2), padding=(0, 3), groups=2),
    nn.Upsample(scale_factor=(1, 3)),
    nn.Upsample(size=(14, 9)),
    nn.GroupNorm(2, 4),
    nn.LayerNorm([7, 9]),
    nn.InstanceNorm2d(4, affine=True),
    nn.InstanceNorm2d(4, track_running_stats=True),
    nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"),
    nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular"),
    nn.ReplicationPad2d((1, 0, 2, 3)),
]  # fmt: skip
LINES = [
    nn.Conv1d(4, 6, 3, 2, padding=2, dilation=2, groups=2),
    nn.Conv1d(4, 3, 4, padding="same"),
    nn.Conv1d(4, 3, 3, padding=1, padding_mode="reflect"),
    nn.ConvTranspose1d(4, 3, 3, 2, output_padding=1),
    nn.AvgPool1d(3, 2, 1, ceil_mode=True, count_include_pad=False),
    nn.MaxPool1d(3, 2, 1, 1, False, True),
    nn.AdaptiveAvgPool1d(4),
    nn.AdaptiveMaxPool1d(5),
    nn.BatchNorm1d(4),
    nn.InstanceNorm1d(4),
    nn.Upsample(scale_factor=2),
    nn.GroupNorm(2, 4),
    nn.LayerNorm(9),
    nn.ConstantPad1d((2, 1), 0),
]


@pytest.mark.parametrize("layers, shape", [(PLANES, (4, 7, 9)), (LINES, (4, 9))], ids=["2d", "1d"])
def test_the_same_numbers(layers, shape):
    model = Model(layers).eval()
    graph = trace(model, torch.zeros(1, *shape), spiking=False)
    x = torch.randn(3, *shape, dtype=torch.float64)
    with torch.no_grad():
        wanted = model.double()(x)
    found = evaluate(graph, x.numpy(), double=True)[graph.outputs[0]]
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)
    model.float()


REFUSED = {
    "spread windows": (nn.MaxPool2d(2, dilation=2), "dilated max pooling is not supported"),
    "a divisor": (nn.AvgPool2d(2, divisor_override=3), "with a divisor of its own is not"),
    "uneven": (nn.Upsample(scale_factor=1.5), "it repeats rows and columns 1.5 and 1.5 times"),
    "dilated": (nn.ConvTranspose2d(4, 2, 3, dilation=2), "a dilated transposed convolution is not"),
    "padded": (nn.ConstantPad2d(1, 2.0), "only padding with zeros, or with what lies"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_supported_is_named(name):
    layer, reason = REFUSED[name]
    with pytest.raises(
        UnsupportedError, match=f"in module 'layers.0' cannot be compiled: .*{reason}"
    ):
        trace(Model([layer]), torch.zeros(1, 4, 9, 9), spiking=False)


def test_windows_that_a_kernel_gives():
    cut = sliding(5, 2, 2, 0, ceil=True, padded=True)
    assert cut == [[0, 2, 2], [2, 4, 2], [4, 5, 1]]
    assert (regular(cut, 5).kernel, regular(cut, 5).stride, regular(cut, 5).after) == (2, 2, 1)
    assert sliding(4, 3, 2, 1, ceil=False, padded=True) == [[0, 2, 3], [1, 4, 3]]
    assert sliding(4, 3, 2, 1, ceil=False, padded=False) == [[0, 2, 2], [1, 4, 3]]
    assert adaptive(7, 5) == [[0, 2, 2], [1, 3, 2], [2, 5, 3], [4, 6, 2], [5, 7, 2]]
    assert regular(adaptive(7, 5), 7) is None
