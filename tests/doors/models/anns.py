"""Ordinary networks, as they are exported to ONNX."""

from __future__ import annotations

import torch
from torch import nn


class Residual(nn.Module):
    """Depthwise convolutions, a scale a channel, slices put together, a sum of branches."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3, 2, 1)
        self.norm = nn.BatchNorm2d(8)
        self.deep = nn.Conv2d(8, 8, 3, 1, 1, groups=8)
        self.scale = nn.Parameter(torch.rand(8, 1, 1))
        self.classify = nn.Linear(8, 5)

    def forward(self, x):
        x = torch.relu(self.norm(self.stem(x)))
        y = torch.relu(self.deep(x) * self.scale + self.scale)
        x = torch.cat([x[:, :4] + y[:, :4], y[:, 4:]], 1)
        x = nn.functional.avg_pool2d(x, 2).mean((2, 3))
        return torch.softmax(self.classify(x), -1)


class Plain(nn.Module):
    """ReLU6, dropout, a global pool, a view by the batch size."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.ReLU6(), nn.AvgPool2d(2), nn.Dropout(),
            nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
        )  # fmt: skip
        self.classify = nn.Linear(6, 3, bias=False)

    def forward(self, x):
        x = self.features(x)
        return self.classify(x.view(x.size(0), -1))


class Features(nn.Module):
    """Linear layers, also as products with a matrix and a sum behind them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(12, 20), nn.Linear(20, 4)
        self.weight, self.bias = nn.Parameter(torch.rand(20, 20)), nn.Parameter(torch.rand(20))

    def forward(self, x):
        x = torch.relu(torch.relu(self.first(x)) @ self.weight + self.bias)
        return self.last(torch.relu((x - self.bias) / 2))


SHAPES = {Residual: (1, 12, 12), Plain: (1, 8, 8), Features: (12,)}
