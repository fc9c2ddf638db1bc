"""As in the STBP repositories: global constants, mem_update(ops, x, mem, spike), a batch size."""

import torch
import torch.nn as nn
import torch.nn.functional as F

device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
thresh, lens, decay = 0.5, 0.5, 0.2
time_window = 6
cfg_cnn = [(1, 4, 1, 1, 3), (4, 4, 1, 1, 3)]
cfg_kernel, cfg_fc = [8, 4, 2], [16, 10]


class ActFun(torch.autograd.Function):
    @staticmethod
    def forward(ctx, input):
        ctx.save_for_backward(input)
        return input.gt(thresh).float()

    @staticmethod
    def backward(ctx, grad_output):
        (input,) = ctx.saved_tensors
        return grad_output * (abs(input - thresh) < lens).float()


act_fun = ActFun.apply


def mem_update(ops, x, mem, spike):
    mem = mem * decay * (1.0 - spike) + ops(x)
    spike = act_fun(mem)
    return mem, spike


class SCNN(nn.Module):
    def __init__(self, batch_size=None):
        super().__init__()
        self.batch_size = batch_size
        in_planes, out_planes, stride, padding, kernel_size = cfg_cnn[0]
        self.conv1 = nn.Conv2d(in_planes, out_planes, kernel_size, stride, padding)
        in_planes, out_planes, stride, padding, kernel_size = cfg_cnn[1]
        self.conv2 = nn.Conv2d(in_planes, out_planes, kernel_size, stride, padding)
        self.fc1 = nn.Linear(cfg_kernel[-1] ** 2 * cfg_cnn[-1][1], cfg_fc[0])
        self.fc2 = nn.Linear(cfg_fc[0], cfg_fc[1])

    def forward(self, input):
        batch = self.batch_size or input.size(0)
        size = cfg_kernel
        c1_mem = c1_spike = torch.zeros(batch, cfg_cnn[0][1], size[0], size[0], device=device)
        c2_mem = c2_spike = torch.zeros(batch, cfg_cnn[1][1], size[1], size[1], device=device)
        h1_mem = h1_spike = h1_sumspike = torch.zeros(batch, cfg_fc[0], device=device)
        h2_mem = h2_spike = h2_sumspike = torch.zeros(batch, cfg_fc[1], device=device)
        for step in range(time_window):
            x = input.float()
            c1_mem, c1_spike = mem_update(self.conv1, x, c1_mem, c1_spike)
            x = F.avg_pool2d(c1_spike, 2)
            c2_mem, c2_spike = mem_update(self.conv2, x, c2_mem, c2_spike)
            x = F.avg_pool2d(c2_spike, 2)
            x = x.view(batch, -1)
            h1_mem, h1_spike = mem_update(self.fc1, x, h1_mem, h1_spike)
            h1_sumspike += h1_spike
            h2_mem, h2_spike = mem_update(self.fc2, h1_spike, h2_mem, h2_spike)
            h2_sumspike += h2_spike
        return h2_sumspike / time_window


def fixed_batch():
    return SCNN(batch_size=100)


class Rate(SCNN):
    """Rate coding inside the loop: pixels are compared with random numbers."""

    def forward(self, input):
        batch = input.size(0)
        h1_mem = h1_spike = torch.zeros(batch, cfg_fc[0], device=device)
        total = torch.zeros(batch, cfg_fc[1], device=device)
        mem = spike = torch.zeros(batch, cfg_fc[1], device=device)
        for step in range(time_window):
            x = (input > torch.rand(input.size(), device=device)).float()
            x = F.avg_pool2d(self.conv1(x), 4).view(batch, -1)
            h1_mem, h1_spike = mem_update(self.fc1, x, h1_mem, h1_spike)
            mem, spike = mem_update(self.fc2, h1_spike, mem, spike)
            total = total + spike
        return total / time_window


class Events(nn.Module):
    """Time last: input[:, :, :, :, step]."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(2, 4, 3, padding=1)
        self.fc1 = nn.Linear(4 * 16, 10)

    def forward(self, input, win=6):
        batch = input.shape[0]
        c1_mem = c1_spike = torch.zeros(batch, 4, 8, 8, device=device)
        h1_mem = h1_spike = h1_sumspike = torch.zeros(batch, 10, device=device)
        for step in range(win):
            x = input[:, :, :, :, step]
            c1_mem, c1_spike = mem_update(self.conv1, x.float(), c1_mem, c1_spike)
            x = F.avg_pool2d(c1_spike, 2).view(batch, -1)
            h1_mem, h1_spike = mem_update(self.fc1, x, h1_mem, h1_spike)
            h1_sumspike = h1_sumspike + h1_spike
        return h1_sumspike / win


# ruff: noqa: B007  (people leave their loop variables unused)
