"""pilotnet_lif with the spikes that Intel recorded: what the mapping modes cost on Loihi 1."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
import recordings

from snndeploy.mapping import place
from snndeploy.mapping.arrange import row_major
from snndeploy.target import Target
from snndeploy.traffic.counter import TrafficCounter

STEPS = 24
LAYERS = {
    "input0": "input", "conv1": "conv-0", "conv2": "conv-1", "conv3": "conv-2", "conv4": "conv-3",
    "conv5": "conv-4", "dense7": "fc-0", "dense8": "fc-1", "dense9": "fc-2",
}  # fmt: skip
LOIHI1 = Target.load("loihi1")


@pytest.fixture(scope="module")
def pilotnet(tmp_path_factory):
    """The network, its recorded spikes (1, steps, channels, height, width), and their rates."""
    from snndeploy.frontend.netx.reader import load_netx

    folder = tmp_path_factory.mktemp("pilotnet")
    network = load_netx(recordings.network_file("gts/pilotnet_lif/network.net", folder), STEPS)
    spikes = {p.name: np.zeros((1, STEPS, *p.shape), np.uint8) for p in network.populations}
    for name, file in LAYERS.items():
        found = recordings.trace(f"gts/pilotnet_lif/{file}.npy")  # (width, height, channel, step)
        found = found.reshape(*[1] * (4 - found.ndim), *found.shape).T[None]
        assert found.shape == spikes[name].shape
        spikes[name] = found.astype(np.uint8)
    return network, spikes, {name: float(found.mean()) for name, found in spikes.items()}


def counted(network, spikes, layout):
    counter = TrafficCounter(network, layout, 1)
    for population in network.populations:
        counter(population, spikes[population.name])
    return counter.result()


def messages_a_spike(traffic):
    return traffic.messages_out.sum() / traffic.spikes.sum()


def hop_energy_pj(traffic):
    pairs = (("east_west", "hop_east_west"), ("north_south", "hop_north_south"),
             ("inter_chip", "inter_chip_hop"))  # fmt: skip
    return sum(
        getattr(traffic, f"hops_{counter}").sum() * LOIHI1.number(f"energy.{key}_pj")
        for counter, key in pairs
    )


def test_tiles_send_twenty_times_fewer_messages_than_channels(pilotnet):
    network, spikes, rates = pilotnet
    found = {
        mode: messages_a_spike(counted(network, spikes, place(network, LOIHI1, rates, mode=mode)))
        for mode in ("naive", "channel", "tiles", "anneal")
    }
    assert found["tiles"] <= 1.2  # 1.14
    assert found["anneal"] <= 1.2  # 1.17
    assert found["channel"] >= 20  # 32.4
    assert found["naive"] >= 20  # 32.0


def test_annealing_lowers_hop_energy_fourfold_in_seconds(pilotnet):
    network, spikes, rates = pilotnet
    start = time.process_time()
    layout = place(network, LOIHI1, rates, mode="anneal")
    assert time.process_time() - start < 30  # 2.5
    _, positions = row_major(layout.cores, LOIHI1)
    by_rows = counted(network, spikes, replace(layout, positions=positions))
    annealed = counted(network, spikes, layout)
    assert annealed.messages_out.sum() == by_rows.messages_out.sum()
    assert hop_energy_pj(annealed) * 4 <= hop_energy_pj(by_rows)  # 7.2
