"""Several spikes a step: a rounding in a cycle that counts thresholds, as sinabs' IAF has it."""

from __future__ import annotations

import math

import pytest
import torch
from loop_nets import EXAMPLE, Sequence, stated
from torch import nn

from snndeploy.errors import UnsupportedError
from snndeploy.frontend.capture.counts import UNBOUNDED
from snndeploy.frontend.torch import trace

pytestmark = pytest.mark.torch


def gated(u, threshold):
    return (u > 0) * torch.div(u, threshold, rounding_mode="trunc")


def clamped(u, threshold):
    return torch.floor(u / threshold).clamp(min=0, max=4)


def single(u, threshold):
    return torch.floor(u / threshold).clamp(min=0, max=1)


def whole(u, threshold):
    return torch.relu(u // threshold)


def signed(u, threshold):
    return torch.div(u, threshold, rounding_mode="trunc")


class Counting(nn.Module):
    def __init__(self, count, *, decay=1.0, threshold=1.0, bound=None, hard=False):
        super().__init__()
        self.count, self.decay, self.threshold = count, decay, threshold
        self.bound, self.hard = bound, hard

    def forward(self, x):
        held, out = torch.zeros_like(x[0]), []
        for step in x:
            u = self.decay * held + step
            spikes = self.count(u, self.threshold)
            held = u * (spikes == 0) if self.hard else u - spikes * self.threshold
            if self.bound is not None:
                held = torch.relu(held - self.bound) + self.bound
            out.append(spikes)
        return torch.stack(out)


def iaf(most, **more):
    found = {"threshold": 1.0, "fires_at": "ge", "decay": 1.0, "v_reset": 0.0, "reset": "soft"}
    return {**found, **({"most_spikes": most} if most > 1 else {}), **more}


@pytest.mark.parametrize(
    "neuron, expected",
    [
        (Counting(gated), iaf(UNBOUNDED)),
        (Counting(gated, threshold=0.75, decay=0.5), iaf(UNBOUNDED, threshold=0.75, decay=0.5)),
        (Counting(gated, bound=-1.0), iaf(UNBOUNDED, lower_bound=-1.0)),
        (Counting(gated, hard=True), iaf(UNBOUNDED, reset="hard")),
        (Counting(clamped), iaf(4)),
        (Counting(clamped, bound=-0.5), iaf(4, lower_bound=-0.5)),
        (Counting(single), iaf(1)),
        (Counting(whole), iaf(UNBOUNDED)),
    ],
)
def test_is_read(neuron, expected):
    graph = trace(Sequence(neuron), EXAMPLE)
    (found,) = graph.neurons()
    assert stated(found) == expected
    assert not graph.notes


def test_negative_counts_are_refused():
    with pytest.raises(UnsupportedError, match="on random input it does not fire as"):
        trace(Sequence(Counting(signed)), EXAMPLE)


class Folded(nn.Module):
    """Its leak is found from a constant in forward, as sinabs' alpha."""

    def __init__(self):
        super().__init__()
        self.tau = nn.Parameter(torch.tensor(5.0))

    def forward(self, x):
        alpha = torch.exp(-1.0 / self.tau)
        held, out = torch.zeros_like(x[0]), []
        for step in x:
            u = alpha * held + (1 - alpha) * step
            spikes = (u >= 0.5).float()
            held = u - 0.5 * spikes
            out.append(spikes)
        return torch.stack(out)


def test_a_folded_number_is_the_same_in_the_proof():
    graph = trace(Sequence(Folded()), EXAMPLE)
    (found,) = graph.neurons()
    assert stated(found)["decay"] == pytest.approx(math.exp(-0.2), abs=1e-12)
