"""Analytic timing on cases that can be done on paper."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hand_made import ten_to_ten, traffic_of

from snndeploy.target import Target
from snndeploy.timing.analytic import BOUNDS, analytic_timing

LOIHI1 = Target.load("loihi1")
GENERATION = 10 * 44.8  # ns: access 6.0, update 3.7, spike 30.0, message out 5.1
SERVICE = 10 * (16.0 + 10 * 3.8)  # ns: message in and ten synapses


def without(target, key):
    """The same target, silent about one quantity."""
    kept = {name: value for name, value in target.quantities.items() if name != key}
    return replace(target, quantities=kept)


def timed(router=(0, 0), target=LOIHI1, board=(1, 1)):
    network, layout = ten_to_ten(router, board)
    return analytic_timing(traffic_of(network, layout), layout, target, network.timesteps)


# The second number is SANA-FE's detailed model for the same case, run with its wheel 2.2.9.
@pytest.mark.parametrize(
    ("router", "barrier_ns", "detailed_ns"),
    [((0, 0), 600, 1184.8), ((0, 1), 1000, 1591.3), ((1, 0), 1000, 1588.9)],
)
def test_worked_cases(router, barrier_ns, detailed_ns):
    timing = timed(router)
    first, second = timing.step_seconds[0] * 1e9
    assert first == pytest.approx(max(GENERATION, SERVICE) + barrier_ns, rel=1e-12)
    assert second == pytest.approx(10 * 9.7 + barrier_ns, rel=1e-12)  # the targets' updates
    assert 0.95 * detailed_ns < first < detailed_ns
    assert timing.latency_seconds[0] * 1e9 == pytest.approx(first + second, rel=1e-12)
    assert timing.barrier_seconds * 1e9 == pytest.approx(barrier_ns)


def test_the_slowest_part_is_named():
    timing = timed(target=with_barrier(300))
    assert [BOUNDS[code] for code in timing.bound[0]] == ["receive", "barrier"]
    assert timing.critical.tolist() == [[1, -1]]


def test_a_busy_link_is_named():
    timing = timed((9, 0), board=(2, 1))  # nine hops east; the eighth leaves the chip, 159 ns each
    assert BOUNDS[timing.bound[0, 0]] == "barrier"
    timing = timed((9, 0), board=(2, 1), target=with_barrier(1))
    assert BOUNDS[timing.bound[0, 0]] == "link"
    assert timing.critical[0, 0] == 7
    busy = timing.step_seconds[0, 0] - timing.barrier_seconds
    assert busy * 1e9 == pytest.approx(10 * 159.0, rel=1e-12)
    assert timing.mark == "assumed"


def with_barrier(nanoseconds):
    """Loihi 1 with a barrier of its own for every number of tiles and chips."""
    quantities = dict(LOIHI1.quantities)
    for key in ("timing.barrier_ns", "timing.board_barrier_ns"):
        value = tuple(float(nanoseconds) for _ in quantities[key].value)
        quantities[key] = replace(quantities[key], value=value)
    return replace(LOIHI1, quantities=quantities)


def test_pipelined_steps_share_the_chip():
    """With one time step both chip steps fall together: one barrier, the slower of both parts."""
    timing = timed()
    assert timing.interval_seconds[0] * 1e9 == pytest.approx(SERVICE + 600, rel=1e-12)
    assert timing.interval_seconds[0] < timing.latency_seconds[0]


def test_an_unstated_host_link_is_not_timed():
    timing = timed(target=without(LOIHI1, "host.io_bytes_per_second"))
    assert timing.host_seconds is None
    assert timing.notes == (
        "loihi1 does not state host.io_bytes_per_second: the host link is not timed",
    )
    assert timed().host_seconds.tolist() == [0.0]


def test_unstated_inter_chip_hops_are_said():
    timing = timed((9, 0), board=(2, 1), target=without(LOIHI1, "timing.inter_chip_hop_ns"))
    assert timing.notes == (
        "loihi1 does not state timing.inter_chip_hop_ns: hops between chips cost a hop",
    )


def test_samples_are_independent():
    network, layout = ten_to_ten((0, 1))
    one = analytic_timing(traffic_of(network, layout), layout, LOIHI1, 1)
    three = analytic_timing(traffic_of(network, layout, samples=3), layout, LOIHI1, 1)
    assert np.array_equal(three.step_seconds, np.repeat(one.step_seconds, 3, axis=0))
