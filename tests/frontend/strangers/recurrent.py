"""Recurrent spiking layers: hidden spikes of the step before come back through a layer."""

import torch
from torch import nn


class FastSigmoid(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        out = torch.zeros_like(x)
        out[x > 0] = 1.0
        return out

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output / (100.0 * torch.abs(x) + 1.0) ** 2


class RSNN(nn.Module):
    """As in the SpyTorch tutorials: time second, einsum layers, syn and mem, a readout."""

    alpha, beta, steps = 0.8, 0.9, 6

    def __init__(self, recurrent=True):
        super().__init__()
        self.recurrent = recurrent
        self.w1 = nn.Parameter(torch.randn(20, 16) * 0.6)
        self.v1 = nn.Parameter(torch.randn(16, 16) * 0.1)
        self.w2 = nn.Parameter(torch.randn(16, 5) * 0.3)

    def forward(self, inputs):
        batch, spike_fn = inputs.shape[0], FastSigmoid.apply
        h1 = torch.einsum("abc,cd->abd", (inputs, self.w1))
        syn, mem = torch.zeros((batch, 16)), torch.zeros((batch, 16))
        out = torch.zeros((batch, 16))
        spk_rec = []
        for t in range(self.steps):
            entering = h1[:, t]
            if self.recurrent:
                entering = entering + torch.einsum("ab,bc->ac", (out, self.v1))
            mthr = mem - 1.0
            out = spike_fn(mthr)
            rst = out.detach()
            new_syn = self.alpha * syn + entering
            new_mem = (self.beta * mem + syn) * (1.0 - rst)
            spk_rec.append(out)
            mem, syn = new_mem, new_syn
        spk_rec = torch.stack(spk_rec, dim=1)
        h2 = torch.einsum("abc,cd->abd", (spk_rec, self.w2))
        flt, out = torch.zeros((batch, 5)), torch.zeros((batch, 5))
        out_rec = [out]
        for t in range(self.steps):
            new_flt = self.alpha * flt + h2[:, t]
            new_out = self.beta * out + flt
            flt, out = new_flt, new_out
            out_rec.append(out)
        out_rec = torch.stack(out_rec, dim=1)
        return torch.max(out_rec, 1)[0]


def feed_forward():
    return RSNN(recurrent=False)
