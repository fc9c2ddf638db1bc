"""A trained-looking model file with channels that reduction must find, for tests.

Channels of spike2: 0 natural, 1 its twin, 2 never fires, 3 always fires, 4 is read by nobody,
5 natural.
"""

import torch
from tiny_model import LIF
from torch import nn

TWIN, SILENT, STEADY, UNREAD = 1, 2, 3, 4


class Net(nn.Module):
    input_shape, input_signal = (1, 8, 8), "real"

    def __init__(self, timesteps=3):
        super().__init__()
        torch.manual_seed(1)
        self.timesteps = timesteps
        self.stem = nn.Conv2d(1, 4, 3, stride=2, padding=1)
        self.spike1 = LIF()
        self.conv1 = nn.Conv2d(4, 6, 3, padding=1)
        self.spike2 = LIF()
        self.conv2 = nn.Conv2d(6, 5, 3, padding=1)
        self.spike3 = LIF()
        self.classify = nn.Linear(5 * 4 * 4, 3)
        self.plant()

    @torch.no_grad()
    def plant(self):
        self.stem.weight.mul_(4)
        weight, bias, outward = self.conv1.weight, self.conv1.bias, self.conv2.weight
        weight.mul_(3)
        outward.mul_(2)
        weight[TWIN], bias[TWIN] = weight[0], bias[0]
        outward[:, TWIN] = 0.1 * outward[:, TWIN]
        outward[:, 0] = 0.5 * outward[:, 0]
        weight[SILENT], bias[SILENT] = -weight[SILENT].abs(), -0.5
        weight[STEADY], bias[STEADY] = 0.0, 1.5
        outward[:, STEADY] = 0.3 * outward[:, STEADY]
        outward[:, UNREAD] = 0.0
        self.conv2.bias.zero_()  # so that the bias register holds what STEADY adds

    def forward(self, x):
        x = self.stem(x).expand(self.timesteps, *(-1,) * 4)
        x = self.spike1(x)
        x = self.conv1(x.flatten(0, 1)).unflatten(0, (self.timesteps, -1))
        x = self.spike2(x)
        x = self.conv2(x.flatten(0, 1)).unflatten(0, (self.timesteps, -1))
        x = self.spike3(x)
        return self.classify(x.flatten(2)).mean(0)


def net(timesteps=3):
    return Net(timesteps)
