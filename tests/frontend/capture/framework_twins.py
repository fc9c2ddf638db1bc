"""Plain twins of the frameworks' neurons, from their published equations; nobody describes itself.

Each class says `expected`: the parameters of the equation that it is.
"""

from __future__ import annotations

import torch
from torch import nn


class Surrogate(torch.autograd.Function):
    @staticmethod
    def forward(context, x):
        context.save_for_backward(x)
        return (x > 0).float()

    @staticmethod
    def backward(context, gradient):
        (x,) = context.saved_tensors
        return gradient / (1 + x.abs()) ** 2


class Leaky(nn.Module):
    """snnTorch: the reset of the last step's spike comes first; subtract, zero or none."""

    def __init__(self, beta=0.9, threshold=1.0, reset="subtract"):
        super().__init__()
        self.register_buffer("beta", torch.tensor(beta))
        self.register_buffer("threshold", torch.tensor(threshold))
        self.reset = reset

    def forward(self, x, mem):
        spiked = Surrogate.apply(mem - self.threshold).detach()
        base = self.beta.clamp(0, 1) * mem
        if self.reset == "subtract":
            mem = base + x - spiked * self.threshold
        elif self.reset == "zero":
            mem = base * (1 - spiked) + x
        else:
            mem = base + x
        return Surrogate.apply(mem - self.threshold), mem


class Synaptic(Leaky):
    """i = alpha i + x;  u = beta v + i, then reset; zero drops what enters behind a spike."""

    def __init__(self, alpha=0.8, **more):
        super().__init__(**more)
        self.alpha = alpha

    def forward(self, x, syn, mem):
        spiked = Surrogate.apply(mem - self.threshold).detach()
        syn = self.alpha * syn + x
        mem = self.beta * mem + syn
        if self.reset == "subtract":
            mem = mem - spiked * self.threshold
        else:
            mem = mem - spiked * mem
        return Surrogate.apply(mem - self.threshold), syn, mem


class SynapticInPlace(Leaky):
    """snnTorch 1.0 to the letter: zero, none, and `reset_delay`."""

    def __init__(self, alpha=0.8, delayed=True, **more):
        super().__init__(**more)
        self.alpha, self.delayed = alpha, delayed

    def forward(self, x, syn, mem):
        spiked = Surrogate.apply(mem - self.threshold).detach()
        syn, mem = self.next(x, syn, mem)
        if self.reset == "zero":
            syn -= 0 * spiked
            mem -= mem * spiked
        spike = Surrogate.apply(mem - self.threshold)
        if not self.delayed:
            mem = mem - (spike - spiked) * mem
        return spike, syn, mem

    def next(self, x, syn, mem):
        syn = self.alpha * syn + x
        return syn, self.beta * mem + syn


class LeakyAtOnce(Leaky):
    """snnTorch's `reset_delay=False`: the reset is made again where the next step would have."""

    def forward(self, x, mem):
        spiked = Surrogate.apply(mem - self.threshold).detach()
        if self.reset == "zero":
            mem = self.beta * ((1 - spiked) * mem) + x
        else:
            mem = self.beta * mem + x - spiked * self.threshold
        spike = Surrogate.apply(mem - self.threshold)
        again = spike - spiked
        return spike, mem - again * (mem if self.reset == "zero" else self.threshold)


class RSynaptic(nn.Module):
    """i = alpha i + x + V s[t-1];  u = beta v + i - threshold s[t-1]"""

    def __init__(self, width, alpha=0.8, beta=0.9, threshold=1.0):
        super().__init__()
        self.alpha, self.beta, self.threshold = alpha, beta, threshold
        self.recurrent = nn.Linear(width, width)

    def forward(self, x, spk, syn, mem):
        spiked = Surrogate.apply(mem - self.threshold).detach()
        syn = self.alpha * syn + x + self.recurrent(spk)
        mem = self.beta * mem + syn - spiked * self.threshold
        spk = Surrogate.apply(mem - self.threshold)
        return spk, spk, syn, mem


class SpyTorch(nn.Module):
    """Of its tutorial: it fires before the current enters, which fires a step later."""

    def forward(self, x, syn, mem):
        above = mem - 1.0
        out = torch.zeros_like(above)
        out[above > 0] = 1.0
        return out, 0.8 * syn + x, (0.9 * mem + syn) * (1.0 - out.detach())


class RLeaky(nn.Module):
    """u = beta v + x + V s[t-1] - threshold s[t-1]"""

    def __init__(self, width, beta=0.9, threshold=1.0):
        super().__init__()
        self.beta, self.threshold = beta, threshold
        self.recurrent = nn.Linear(width, width)

    def forward(self, x, spk, mem):
        spiked = Surrogate.apply(mem - self.threshold).detach()
        mem = self.beta * mem + x + self.recurrent(spk) - spiked * self.threshold
        spk = Surrogate.apply(mem - self.threshold)
        return spk, spk, mem


class NorseLIF(nn.Module):
    """i jumps, v moves by it, fires, is reset, and i decays."""

    dt, tau_s, tau_m, threshold = 0.001, 1 / 200, 1 / 100, 0.5
    v_leak, v_reset = 0.1, 0.1

    def forward(self, x, state):
        if state is None:
            state = torch.full_like(x, self.v_leak), torch.zeros_like(x)
        v, i = state
        jump = i + x
        v = v + self.dt / self.tau_m * ((self.v_leak - v) + jump)
        i = jump - self.dt / self.tau_s * jump
        z = torch.where(v > self.threshold, 1.0, 0.0)
        v = (1 - z) * v + z * self.v_reset
        return z, (v, i)


class NorseLIFBox(nn.Module):
    def forward(self, x, state):
        v = torch.zeros_like(x) if state is None else state
        v = v + 0.1 * ((0.0 - v) + x)
        z = torch.heaviside(v - 0.4, torch.tensor(0.0))
        return z, v * (1 - z)


class JellyLIF(nn.Module):
    """SpikingJelly, multi-step: the state is an attribute, a number until the first step."""

    def __init__(self, tau=2.0, threshold=1.0, v_reset=0.0, decay_input=True):
        super().__init__()
        self.tau, self.threshold, self.v_reset = tau, threshold, v_reset
        self.decay_input = decay_input
        self.v = 0.0 if v_reset is None else v_reset

    def forward(self, xs):
        spikes = []
        for t in range(xs.shape[0]):
            spikes.append(self.step(xs[t]))
        return torch.stack(spikes)

    def step(self, x):
        if isinstance(self.v, float):
            self.v = torch.full_like(x, self.v)
        rest = 0.0 if self.v_reset is None else self.v_reset
        if self.decay_input:
            self.v = self.v + (x - (self.v - rest)) / self.tau
        else:
            self.v = self.v - (self.v - rest) / self.tau + x
        spike = (self.v >= self.threshold).to(x)
        if self.v_reset is None:
            self.v = self.v - spike * self.threshold
        else:
            self.v = (1.0 - spike) * self.v + spike * self.v_reset
        return spike


class MemUpdate(nn.Module):
    """MS-ResNet: zeros, and every step written by index; fires above the threshold."""

    def forward(self, x):
        mem = torch.zeros_like(x[0])
        spike = torch.zeros_like(x[0])
        output = torch.zeros_like(x)
        mem_old = 0
        for t in range(x.shape[0]):
            mem = x[t] if t == 0 else mem_old * 0.25 * (1 - spike.detach()) + x[t]
            spike = Surrogate.apply(mem - 0.5)
            mem_old = mem.clone()
            output[t] = spike
        return output
