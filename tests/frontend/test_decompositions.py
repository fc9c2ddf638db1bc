"""Three-dimensional operators as the papers use them: by others, with the same values."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from snndeploy.errors import UnsupportedError
from snndeploy.frontend.torch import trace
from snndeploy.ops.evaluate import evaluate

pytestmark = pytest.mark.torch
T = 4


class OverSequence(nn.Module):
    """An operator on (batch, time, channels, rows, columns), or with the first two turned."""

    timesteps = T

    def __init__(self, operator, turned=False):
        super().__init__()
        self.operator, self.turned = operator, turned

    def forward(self, x):
        x = x.transpose(1, 2) if self.turned else x
        return self.operator(x)


CASES = {
    "average of each step": (nn.AdaptiveAvgPool3d(1), False, "mean"),
    "maximum of each step": (nn.AdaptiveMaxPool3d(1), False, "max"),
    "average of each plane": (nn.AdaptiveAvgPool3d((None, 1, 1)), False, "mean"),
    "halves of each plane": (nn.AdaptiveAvgPool3d((None, 3, 4)), False, "avg_pool"),
    "maxima of each plane": (nn.AdaptiveMaxPool3d((None, 3, 4)), False, "max_pool"),
    "pool of each plane": (nn.AvgPool3d((1, 2, 2), (1, 2, 2)), False, "avg_pool"),
    "maximum pool of each plane": (nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)), True, "max_pool"),
    "layer on time": (nn.Sequential(nn.AdaptiveAvgPool3d(1), nn.Conv3d(T, 2, 1)), False, "linear"),
    "layer on channels": (nn.Conv3d(3, 5, 1, bias=False), True, "linear"),
    "convolution of each plane": (
        nn.Conv3d(3, 5, (1, 3, 2), (1, 2, 1), (0, 1, 0), (1, 1, 2)), True, "conv",
    ),
    "groups of channels": (nn.Conv3d(3, 6, (1, 3, 3), padding="same", groups=3), True, "conv"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_same_values(name):
    operator, turned, op = CASES[name]
    model = OverSequence(operator, turned).eval()
    graph = trace(model, torch.zeros(1, T, 3, 6, 8), spiking=False)
    assert op in {node.op for node in graph.nodes}
    x = torch.randn(5, T, 3, 6, 8, dtype=torch.float64)
    with torch.no_grad():
        theirs = model.double()(x)
    ours = evaluate(graph, x.numpy(), double=True)[graph.outputs[0]]
    torch.testing.assert_close(ours.reshape(theirs.shape), theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "operator, named",
    [
        (nn.Conv3d(T, 2, 3, padding=1), "conv3d"),
        (nn.AvgPool3d(2), "avg_pool3d"),
        (nn.MaxPool3d(2), "max_pool3d"),
        (nn.AdaptiveAvgPool3d((2, 1, 1)), "adaptive_avg_pool3d"),
        (nn.AdaptiveMaxPool3d((None, 5, 1)), "adaptive_max_pool3d"),
        (nn.Conv3d(T, 2, 1, stride=(2, 1, 1)), "conv3d"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_windows_over_the_first_dimension_are_refused_by_name(operator, named):
    with pytest.raises(UnsupportedError, match=rf"operation aten\.{named} in module 'operator'"):
        trace(OverSequence(operator), torch.zeros(1, T, 3, 6, 8), spiking=False)
