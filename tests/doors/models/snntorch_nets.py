"""snnTorch as people write it: its tutorials' networks, and its other neurons in the same net.

Written from their description: neurons with their defaults, the loop over time in `forward` or
left to the user, states passed on or hidden.  Weights are random, of a size at which neurons fire.
"""

import snntorch as snn
import torch
from snntorch import surrogate, utils
from torch import nn
from torch.nn import functional as F


def lively(net, gain=1.0):
    """Weights at which the neurons fire at inputs between 0 and 1."""
    torch.manual_seed(0)
    for module in net.modules():
        if isinstance(module, (nn.Linear, nn.Conv2d)):
            nn.init.normal_(module.weight, 0.0, gain * module.weight[0].numel() ** -0.5)
            nn.init.uniform_(module.bias, 0.0, 0.1)
    return net


class Tutorial3(nn.Module):
    """784-1000-10, beta 0.99: a feedforward net over spikes (time, batch, 784)."""

    def __init__(self, num_steps=200, beta=0.99):
        super().__init__()
        self.num_steps = num_steps
        self.fc1, self.lif1 = nn.Linear(784, 1000), snn.Leaky(beta=beta)
        self.fc2, self.lif2 = nn.Linear(1000, 10), snn.Leaky(beta=beta)

    def forward(self, spk_in):
        mem1, mem2 = self.lif1.reset_mem(), self.lif2.reset_mem()
        mem2_rec, spk1_rec, spk2_rec = [], [], []
        for step in range(self.num_steps):
            cur1 = self.fc1(spk_in[step])
            spk1, mem1 = self.lif1(cur1, mem1)
            cur2 = self.fc2(spk1)
            spk2, mem2 = self.lif2(cur2, mem2)
            mem2_rec.append(mem2)
            spk1_rec.append(spk1)
            spk2_rec.append(spk2)
        return torch.stack(spk2_rec), torch.stack(spk1_rec), torch.stack(mem2_rec)


class Tutorial5(nn.Module):
    """784-1000-10, beta 0.95, 25 steps of one image: states passed on, (spk_rec, mem_rec)."""

    def __init__(self, num_steps=25, make=None, readout="stacks"):
        super().__init__()
        make = make or (lambda: snn.Leaky(beta=0.95))
        self.num_steps, self.readout = num_steps, readout
        self.fc1, self.lif1 = nn.Linear(784, 1000), make()
        self.fc2, self.lif2 = nn.Linear(1000, 10), make()

    def forward(self, x):
        mem1, mem2 = self.lif1.reset_mem(), self.lif2.reset_mem()
        spk2_rec, mem2_rec = [], []
        for _ in range(self.num_steps):
            cur1 = self.fc1(x)
            spk1, mem1 = self.lif1(cur1, mem1)
            cur2 = self.fc2(spk1)
            spk2, mem2 = self.lif2(cur2, mem2)
            spk2_rec.append(spk2)
            mem2_rec.append(mem2)
        if self.readout == "lists":
            return spk2_rec, mem2_rec
        spikes, membranes = torch.stack(spk2_rec, dim=0), torch.stack(mem2_rec, dim=0)
        if self.readout == "dictionary":
            return {"spikes": spikes, "membranes": membranes}
        return membranes if self.readout == "membranes" else (spikes, membranes)


class Hidden(nn.Module):
    """784-100-10 with a neuron whose states it keeps itself, a step a call."""

    def __init__(self, make):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(784, 100), make(100, False), nn.Linear(100, 10), make(10, True)
        )

    def forward(self, x):
        return self.net(x)


class Tutorial6(nn.Module):
    """12C5-MP2-64C5-MP2-1024FC10 with states passed on, as the class of the tutorial."""

    def __init__(self, num_steps=50, beta=0.5):
        super().__init__()
        spike_grad = surrogate.fast_sigmoid(slope=25)
        self.num_steps = num_steps
        self.conv1 = nn.Conv2d(1, 12, 5)
        self.lif1 = snn.Leaky(beta=beta, spike_grad=spike_grad)
        self.conv2 = nn.Conv2d(12, 64, 5)
        self.lif2 = snn.Leaky(beta=beta, spike_grad=spike_grad)
        self.fc1 = nn.Linear(64 * 4 * 4, 10)
        self.lif3 = snn.Leaky(beta=beta, spike_grad=spike_grad)

    def step(self, x, mem1, mem2, mem3):
        cur1 = F.max_pool2d(self.conv1(x), 2)
        spk1, mem1 = self.lif1(cur1, mem1)
        cur2 = F.max_pool2d(self.conv2(spk1), 2)
        spk2, mem2 = self.lif2(cur2, mem2)
        cur3 = self.fc1(spk2.flatten(1))
        spk3, mem3 = self.lif3(cur3, mem3)
        return spk3, mem1, mem2, mem3

    def forward(self, x):
        mem1, mem2 = self.lif1.reset_mem(), self.lif2.reset_mem()
        mem3, spikes = self.lif3.reset_mem(), []
        for _ in range(self.num_steps):
            spk3, mem1, mem2, mem3 = self.step(x, mem1, mem2, mem3)
            spikes.append(spk3)
        return torch.stack(spikes)


def tutorial3(num_steps=200):
    return lively(Tutorial3(num_steps), 2.0)


def tutorial5(num_steps=25, readout="stacks", reset_mechanism="subtract", reset_delay=True):
    def make():
        return snn.Leaky(beta=0.95, reset_mechanism=reset_mechanism, reset_delay=reset_delay)

    return lively(Tutorial5(num_steps, make, readout))


def lapicque(reset_mechanism="subtract"):
    def make():
        return snn.Lapicque(beta=0.9, reset_mechanism=reset_mechanism)

    return lively(Tutorial5(25, make), 10.0)  # its current charges a capacity of 9


def tutorial6(pooled_currents=True, num_steps=50):
    """The `nn.Sequential` of the tutorial: a step a call, the user calls `utils.reset` before.

    pooled_currents: max pooling before the neuron, as it is printed there; else behind it.
    """
    beta, spike_grad = 0.5, surrogate.fast_sigmoid(slope=25)

    def leaky(output=False):
        return snn.Leaky(beta=beta, spike_grad=spike_grad, init_hidden=True, output=output)

    def pooled():
        pair = [nn.MaxPool2d(2), leaky()]
        return pair if pooled_currents else pair[::-1]

    net = nn.Sequential(
        nn.Conv2d(1, 12, 5), *pooled(), nn.Conv2d(12, 64, 5), *pooled(),
        nn.Flatten(), nn.Linear(64 * 4 * 4, 10), leaky(output=True),
    )  # fmt: skip
    lively(net, 2.0)
    with torch.no_grad():
        net(torch.rand(4, 1, 28, 28))
    utils.reset(net)
    return net


def tutorial6_class(num_steps=50):
    return lively(Tutorial6(num_steps), 2.0)


def hidden(kind, reset_mechanism="subtract"):
    """784-100-10 of synaptic, rleaky, rsynaptic, alpha or leaky neurons with hidden states."""

    def make(width, output):
        more = dict(init_hidden=True, output=output, reset_mechanism=reset_mechanism)
        if kind == "synaptic":
            return snn.Synaptic(alpha=0.9, beta=0.8, **more)
        if kind == "rleaky":
            return snn.RLeaky(beta=0.9, linear_features=width, **more)
        if kind == "rsynaptic":
            return snn.RSynaptic(alpha=0.9, beta=0.8, linear_features=width, **more)
        if kind == "alpha":
            return snn.Alpha(alpha=0.9, beta=0.8, **more)
        return snn.Leaky(beta=0.9, **more)

    return lively(Hidden(make))
