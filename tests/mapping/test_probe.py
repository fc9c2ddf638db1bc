"""One neuron on every core of a chip fires once: its spike arrives where and when it should."""

from __future__ import annotations

import numpy as np
import pytest
from populations import make_population

from snndeploy.connections import Conv
from snndeploy.engines.engine import run_network
from snndeploy.layout.layout import Layout, Tile
from snndeploy.mapping.arrange import snake
from snndeploy.network import Injection, Network, Projection, Readout
from snndeploy.target import Target
from snndeploy.traffic.counter import TrafficCounter

DELAY = 2


def probe(target, cores, random):
    """Neuron i of `sender` on core i, of `receiver` on core partner[i]; one synapse each."""
    shape = (cores, 1, 1)
    one_to_one = Conv(np.ones((cores, 1, 1, 1), dtype=np.int8), groups=cores)
    populations = (
        make_population("input", shape, "input"),
        make_population("sender", shape, depth=1),
        make_population("receiver", shape, depth=2 + DELAY),
    )
    projections = (
        Projection("in", "input", "sender", one_to_one),
        Projection("across", "sender", "receiver", one_to_one, delay=DELAY),
    )
    injection = Injection("input", "encoder", "spikes", minimum=0, maximum=1)
    readout = Readout("receiver", "count")
    network = Network(3, populations, projections, (injection,), readout)
    partner = random.permutation(cores)
    tiles = [Tile("sender", (i, i + 1), (0, 1), (0, 1), i) for i in range(cores)]
    tiles += [
        Tile("receiver", (i, i + 1), (0, 1), (0, 1), int(core)) for i, core in enumerate(partner)
    ]
    board, positions = snake(cores, target)
    mesh = (target.mesh_width, target.mesh_height)
    return network, Layout(tuple(tiles), positions, mesh, board, {}, {}, ""), partner


@pytest.mark.parametrize(
    ("name", "chips"), [("loihi1", 1), ("loihi2", 1), ("kapoho_bay", 2), ("kapoho_point", 8)]
)
def test_a_spike_from_every_core_arrives(name, chips):
    target = Target.load(name)
    cores = chips * target.cores_per_chip
    network, layout, partner = probe(target, cores, np.random.default_rng(0))
    assert layout.cores == cores and layout.chips == chips
    spikes = np.zeros((cores, network.timesteps, cores, 1, 1), dtype=np.int32)
    sender, step = np.arange(cores), np.arange(cores) % network.timesteps
    spikes[sender, step, sender] = 1  # sample i: neuron i fires in one step
    counter = TrafficCounter(network, layout, cores)
    activity = run_network(
        network, {0: spikes}, ["sender", "receiver"], observer=counter, samples=cores
    )
    for population in ("sender", "receiver"):
        assert np.array_equal(activity.spikes[population], spikes)
    traffic = counter.result()
    assert traffic.messages_out.sum() == cores
    assert (traffic.messages_out[sender, step + 1, sender] == 1).all()  # sender's depth is 1
    arrived = traffic.messages_in[sender, step + 1, partner]
    assert (arrived == 1).all()
    assert (traffic.messages_in[sender, step, sender] == 1).all()  # the host's spike before
    assert traffic.messages_in.sum() == 2 * cores
    assert (traffic.synaptic_operations[sender, step + 1, partner] == 1).all()
    assert (traffic.spikes[sender, step + 2 + DELAY, partner] == 1).all()
    router = layout.positions[:, :2]
    far = np.abs(router - router[partner]).sum(axis=1)
    hops = traffic.hops_east_west + traffic.hops_north_south + traffic.hops_inter_chip
    assert np.array_equal(hops[sender, step + 1], far)
    crossed = np.abs(router // layout.mesh - router[partner] // layout.mesh).sum(axis=1)
    assert np.array_equal(traffic.hops_inter_chip[sender, step + 1], crossed)
