"""Busy cores and links where steps take no time, and over several runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from populations import make_population

from snndeploy.connections import Conv
from snndeploy.mapping import place
from snndeploy.network import Network, Projection
from snndeploy.target import Target
from snndeploy.timing.analytic import analytic_timing, load_of
from snndeploy.timing.hotspots import hotspots
from snndeploy.traffic.counter import TrafficCounter


def without_barrier() -> Target:
    target = Target.load("loihi1")
    barrier = replace(target.quantity("timing.barrier_ns"), value=(0.0,) * 4)
    return replace(target, quantities={**target.quantities, "timing.barrier_ns": barrier})


@pytest.mark.filterwarnings("error")
def test_a_step_without_time_uses_no_link():
    """The first of three steps has no spike of the input, and no neuron on the chip yet."""
    target, shape = without_barrier(), (1, 1, 2)
    kernel = Conv(np.ones((1, 1, 1, 1), dtype=np.int8))
    network = Network(
        2,
        (
            make_population("in", shape, "input"),
            make_population("out", shape, threshold=5, depth=1),
        ),
        (Projection("p", "in", "out", kernel),),
    )
    # its core is one router away from the host's
    layout = place(network, target)
    layout = replace(layout, positions=layout.positions + np.array([1, 0, 0], dtype=np.int32))
    counter = TrafficCounter(network, layout, samples=1)
    spikes = np.zeros((1, 2, *shape), dtype=np.uint8)
    spikes[0, 1] = 1
    counter(network.populations[0], spikes)
    counter(network.populations[1], np.zeros_like(spikes), np.zeros_like(spikes))
    traffic = counter.result()
    load = load_of(traffic, layout, target)
    timing = analytic_timing(traffic, layout, target, 2, load)
    assert timing.step_seconds[0, 0] == 0 and traffic.links.shape == (1, 4)
    found = hotspots(traffic, load, timing)
    hop, step = 2 * 4.1e-9, timing.step_seconds[0, 1]
    assert found.link_utilisation.tolist() == pytest.approx([hop / step])
    assert found.link_peak.tolist() == [2]
    twice = found + found
    assert twice.link_utilisation.tolist() == found.link_utilisation.tolist()
    assert (twice.link_messages == 2 * found.link_messages).all() and twice.samples == 2
