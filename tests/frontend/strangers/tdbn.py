"""Layers over time with (batch, channel, height, width, time), as in the tdBN repositories."""

import torch
import torch.nn as nn

steps, Vth, a, TimeStep, tau = 4, 0.5, 1.0, 4, 0.25


class SpikeAct(torch.autograd.Function):
    @staticmethod
    def forward(ctx, input):
        ctx.save_for_backward(input)
        return torch.gt(input, Vth).to(input.dtype)

    @staticmethod
    def backward(ctx, grad_output):
        (input,) = ctx.saved_tensors
        hu = abs(input) < a / 2
        return grad_output * hu.float() / a


spikeAct = SpikeAct.apply


def state_update(u_t_n1, o_t_n1, W_mul_o_t1_n):
    u_t1_n1 = tau * u_t_n1 * (1 - o_t_n1) + W_mul_o_t1_n
    return u_t1_n1, spikeAct(u_t1_n1)


class tdLayer(nn.Module):
    def __init__(self, layer, bn=None):
        super().__init__()
        self.layer, self.bn = layer, bn

    def forward(self, x):
        x_ = torch.zeros(self.layer(x[..., 0]).shape + (steps,), device=x.device)
        for step in range(steps):
            x_[..., step] = self.layer(x[..., step])
        return self.bn(x_) if self.bn is not None else x_


class tdBatchNorm(nn.BatchNorm2d):
    def forward(self, input):
        mean, var = self.running_mean, self.running_var
        shape = (1, -1, 1, 1, 1)
        normed = (input - mean.view(shape)) / torch.sqrt(var.view(shape) + self.eps)
        return Vth * normed * self.weight.view(shape) + self.bias.view(shape)


class LIFSpike(nn.Module):
    def forward(self, x):
        u = torch.zeros(x.shape[:-1], device=x.device)
        out = torch.zeros(x.shape, device=x.device)
        for step in range(steps):
            u, out[..., step] = state_update(u, out[..., max(step - 1, 0)], x[..., step])
        return out


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = tdLayer(nn.Conv2d(1, 4, 3, padding=1), tdBatchNorm(4))
        self.conv2 = tdLayer(nn.Conv2d(4, 4, 3, padding=1), tdBatchNorm(4))
        self.pool = tdLayer(nn.AvgPool2d(4))
        self.fc = tdLayer(nn.Linear(16, 10))
        self.spike1, self.spike2 = LIFSpike(), LIFSpike()

    def forward(self, x):
        x, _ = torch.broadcast_tensors(x.unsqueeze(-1), torch.zeros((steps,), device=x.device))
        x = self.spike1(self.conv1(x))
        x = self.spike2(self.conv2(x))
        x = self.pool(x)
        x = self.fc(x.reshape(x.shape[0], -1, steps))
        return x.mean(-1)
