"""Loops that never fire: leaky sums from zero, in the ways in which they are written."""

from __future__ import annotations

import pytest
import torch
from loop_nets import drawn
from torch import nn

from snndeploy.errors import UnsupportedError
from snndeploy.frontend.capture.cycles import find_parts
from snndeploy.frontend.capture.linear import Integrator
from snndeploy.frontend.capture.merge import merge
from snndeploy.frontend.capture.program import read_program
from snndeploy.frontend.capture.reductions import roll

pytestmark = pytest.mark.torch

STEPS = 5


class Readout(nn.Module):
    def __init__(self, loop):
        super().__init__()
        self.layer, self.loop = drawn(nn.Linear(4, 3)), loop

    def forward(self, x):
        return self.loop(self.layer(x))


def from_zeros(x):
    v = torch.zeros_like(x[0])
    for step in x:
        v = 0.75 * v + 2 * step
    return v


def from_the_first_step(x):
    v = 2 * x[0]
    for t in range(1, len(x)):
        v = 0.75 * v + 2 * x[t]
    return v


def stacked(x):
    v, out = 0, []
    for step in x:
        v = v - 0.25 * v + 2 * step
        out.append(v)
    return torch.stack(out)[-1]


def read_before_it_is_added(x):
    v, out = torch.zeros_like(x[0]), []
    for step in x:
        out.append(v)
        v = 0.75 * v + 2 * step
    return torch.stack(out).sum(0)


def integrator(loop):
    exported = torch.export.export(
        Readout(loop), (torch.zeros(STEPS, 61, 4),), strict=False
    ).run_decompositions({})
    output = merge(roll(read_program(exported, STEPS)[0], STEPS))
    (part,) = find_parts(output).filters
    return Integrator(part), output


@pytest.mark.parametrize("loop", [from_zeros, from_the_first_step, stacked])
def test_a_leaky_sum(loop):
    """y[t] = 0.75 y[t-1] + X[t], with X = 2 x or what 2 x is made of."""
    found, last = integrator(loop)
    assert found.decay == 0.75 and found.is_sum(last.source) and last.step == STEPS - 1
    gains, offset = found.gains(last.source)
    assert [float(gain) for gain in gains.values()] in ([1.0], [2.0])
    assert not float(offset)


def test_a_leaky_sum_read_one_step_later():
    found, _ = integrator(read_before_it_is_added)
    (state,) = found.part.delays
    assert found.decay == 0.75 and not found.is_sum(state)


def two_memories(x):
    v, w = torch.zeros_like(x[0]), torch.zeros_like(x[0])
    for step in x:
        v, w = 0.5 * v + w + step, 0.25 * v
    return v


def clipped(x):
    v = torch.zeros_like(x[0])
    for step in x:
        v = (0.5 * v + step).clamp(-1, 1)
    return v


@pytest.mark.parametrize(
    "loop, says",
    [(two_memories, "it remembers 2 values"), (clipped, "it is not linear")],
)
def test_what_is_no_leaky_sum_is_named(loop, says):
    with pytest.raises(UnsupportedError, match=says):
        integrator(loop)
