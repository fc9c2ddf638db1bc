"""The neuron's equation refuses parameters that contradict each other, and no others."""

from __future__ import annotations

import pytest

from snndeploy.neurons.equation import FiresAt, Reset
from snndeploy.neurons.leaky_fire import LeakyFire


def bounded(v_reset, decay, bound):
    return LeakyFire(
        threshold=5.0, fires_at=FiresAt.AT_LEAST, decay=decay, v_reset=v_reset, reset=Reset.HARD,
        lower_bound=bound,
    )  # fmt: skip


@pytest.mark.parametrize("v_reset, decay, bound", [(6 * -0.1, 0.02, -30.0), (-0.9, 0.9, -1.0)])
def test_a_bound_at_what_a_spike_leaves_is_no_fault_of_rounding(v_reset, decay, bound):
    """6 * -0.1 / 0.02 is -30.000000000000004 in doubles, and the model's bound -30."""
    assert not bounded(v_reset, decay, bound).faults()


def test_a_bound_above_what_a_spike_leaves_is_a_fault():
    assert bounded(-0.6, 0.02, -29.9).faults() == [
        "lower bound -29.9; it must not exceed what a spike leaves, -30"
    ]
