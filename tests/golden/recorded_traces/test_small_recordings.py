"""Intel's smaller recordings: ntidigits (delays, current decay), tinynet, one dense block.

Their files are one column later than the aligned step: column c is step c - 1 of the layer (of
layer 0 for ntidigits, whose later layers are one more column late each), and column 0 is silent.
"""

import numpy as np
import pytest
from populations import make_population
from recordings import network_file, trace
from replay import chip_order, probe, with_current_probes

from snndeploy.connections import Dense
from snndeploy.engines.engine import run_network
from snndeploy.frontend.netx.reader import load_netx
from snndeploy.network import Injection, Network, Projection

pytestmark = pytest.mark.recordings


def aligned(activity, name):
    return activity.spikes[name][0]


def spikes_from(file):
    """(neurons, columns) as one sample of payloads (1, T, C, 1, 1)."""
    return chip_order(file)[None].astype(np.int32)


def test_ntidigits_output(tmp_path):
    """725,758 bins: axonal delays of 0 to 62 steps, iDecay 1024."""
    network = load_netx(network_file("gts/ntidigits/ntidigits.net", tmp_path))
    sent, recorded = trace("gts/ntidigits/input.npy"), chip_order(trace("gts/ntidigits/output.npy"))
    values = spikes_from(sent).reshape(1, 3000, 1, 1, 64)
    ours = aligned(run_network(network, {0: values}, ["dense4"]), "dense4")
    late = network.by_name["dense4"].depth + 1
    assert not recorded[:late].any()
    assert np.array_equal(ours[:-late], recorded[late:])
    assert recorded[1:].size == 725_758 and ours.sum() > 22_000


def test_tinynet(tmp_path):
    """Spikes of all three layers and the first convolution's current, integer for integer."""
    network = with_current_probes(
        load_netx(network_file("tiny.net", tmp_path), 15, apply_input_transform=False)
    )
    bias = trace("gts/tinynet/input_bias.npy").transpose(2, 1, 0)[None].astype(np.int32)
    layers = {"input0": "input", "conv1": "layer1", "conv2": "output"}
    activity = run_network(network, {0: bias}, layers, [probe("conv1")])
    for layer, file in layers.items():
        recorded = trace(f"gts/tinynet/{file}.npy")[0].transpose(3, 0, 1, 2)
        assert np.array_equal(aligned(activity, layer), recorded[1:])
        assert recorded.any()
    currents = trace("gts/tinynet/current.npy")[0].transpose(3, 0, 1, 2)
    assert np.array_equal(activity.membranes[probe("conv1")][0], 64 * currents[1:])


def replay_dense_block(network):
    network = with_current_probes(network)
    layer = network.populations[1].name
    values = spikes_from(trace("gts/dense/in.npy"))
    activity = run_network(network, {0: values}, [layer], [probe(layer)])
    recorded, currents = (chip_order(trace(f"gts/dense/{k}.npy")) for k in ("out", "current"))
    assert np.array_equal(aligned(activity, layer)[:-1], recorded[1:])
    assert np.array_equal(activity.membranes[probe(layer)][0, :-1], 64 * currents[1:])
    assert recorded[0].sum() == 0 and recorded.sum() == 1826


def test_dense_block():
    """2 x 512,000 values: spikes and currents; registers of lava-dl's tests/netx/test_blocks.py."""
    weight = trace("gts/dense/weight.npy").astype(np.int16)[:, :, None, None]
    populations = (
        make_population("in", (200, 1, 1), kind="input"),
        make_population("dense", (256, 1, 1), threshold=6, membrane_decay=415, depth=1),
    )
    projections = (Projection("in->dense", "in", "dense", Dense(weight)),)
    injections = (Injection("in", "recording", "spikes"),)
    replay_dense_block(Network(2000, populations, projections, injections))


def test_first_layer_of_the_oxford_network(shared_data):
    replay_dense_block(load_netx(shared_data / "lava_dl" / "oxford" / "network.net", 2000))
