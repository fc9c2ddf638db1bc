"""Time folded into the batch around layers, neurons over time, as in dspike and tdBN's heirs."""

import torch
from torch import nn


class ZIF(torch.autograd.Function):
    @staticmethod
    def forward(ctx, input, gama):
        ctx.gama = gama
        ctx.save_for_backward(input)
        return (input > 0).float()

    @staticmethod
    def backward(ctx, grad_output):
        (input,) = ctx.saved_tensors
        g = ctx.gama
        return grad_output * (1 / g) * (1 / g) * ((g - input.abs()).clamp(min=0)), None


class LIFSpike(nn.Module):
    def __init__(self, thresh=1.0, tau=0.5, gama=1.0):
        super().__init__()
        self.act, self.thresh, self.tau, self.gama = ZIF.apply, thresh, tau, gama

    def forward(self, x):
        mem, spike_pot, T = 0, [], x.shape[1]
        for t in range(T):
            mem = mem * self.tau + x[:, t, ...]
            spike = self.act(mem - self.thresh, self.gama)
            mem = (1 - spike) * mem
            spike_pot.append(spike)
        return torch.stack(spike_pot, dim=1)


class SeqToANNContainer(nn.Module):
    def __init__(self, *args):
        super().__init__()
        self.module = args[0] if len(args) == 1 else nn.Sequential(*args)

    def forward(self, x_seq):
        y_shape = [x_seq.shape[0], x_seq.shape[1]]
        y_seq = self.module(x_seq.flatten(0, 1).contiguous())
        y_shape.extend(y_seq.shape[1:])
        return y_seq.view(y_shape)


def add_dimention(x, T):
    x.unsqueeze_(1)
    return x.repeat(1, T, 1, 1, 1)


class Net(nn.Module):
    def __init__(self, T=4):
        super().__init__()
        self.T = T
        self.conv1 = SeqToANNContainer(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4))
        self.conv2 = SeqToANNContainer(nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4))
        self.pool = SeqToANNContainer(nn.AvgPool2d(4))
        self.fc = SeqToANNContainer(nn.Linear(16, 10))
        self.act1, self.act2 = LIFSpike(), LIFSpike()

    def forward(self, x):
        x = add_dimention(x, self.T)
        x = self.act1(self.conv1(x))
        x = self.act2(self.conv2(x))
        return self.fc(torch.flatten(self.pool(x), 2)).mean(1)


class Logits(Net):
    """The answers of all steps, and a second result."""

    def forward(self, x):
        x = add_dimention(x, self.T)
        features = self.act1(self.conv1(x))
        x = self.act2(self.conv2(features))
        return self.fc(torch.flatten(self.pool(x), 2)), features
