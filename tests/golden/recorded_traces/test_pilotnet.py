"""PilotNet on Loihi, recorded by Intel: 10,462,251 values of s, u and v, all of them exact."""

import numpy as np
import pytest
from recordings import network_file, trace
from replay import as_recorded, chip_order, driven_by_spikes, replay

from snndeploy.frontend.netx.reader import load_netx

pytestmark = pytest.mark.recordings

FOLDER = "gts/pilotnet_lif/"
LAYERS = {
    "conv-0": "conv1",
    "conv-1": "conv2",
    "conv-2": "conv3",
    "conv-3": "conv4",
    "conv-4": "conv5",
    "fc-0": "dense7",
    "fc-1": "dense8",
    "fc-2": "dense9",
}
ALL_VALUES = 10_462_251


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    path = network_file(f"{FOLDER}network.net", tmp_path_factory.mktemp("pilotnet"))
    return load_netx(path, apply_input_transform=False)  # image.npy holds ready mantissas


def equal_values(ours, recorded):
    """How many values there are; all of them must agree."""
    assert ours.shape == recorded.shape
    wrong = int(np.count_nonzero(ours != recorded))
    assert wrong == 0, f"{wrong} of {recorded.size} values differ"
    return recorded.size


def test_every_recorded_value(network):
    """Recordings A, B and C of hardware.md 6.3; 17, 16 and 16 steps between resets."""
    image = trace(f"{FOLDER}image.npy").transpose(2, 1, 0)
    traces = replay(network, image, period=17, columns=24)
    compared = equal_values(
        traces["input0"].spikes, chip_order(trace(f"{FOLDER}input.npy")).astype(np.uint8)
    )
    for file, layer in LAYERS.items():
        ours = traces[layer]
        for suffix, values in (
            ("", ours.spikes),
            ("-u", ours.currents),
            ("-v", as_recorded(ours)),
        ):
            compared += equal_values(values, chip_order(trace(f"{FOLDER}{file}{suffix}.npy")))

    sent = chip_order(trace(f"{FOLDER}input-s.npy"))
    alone = replay(network, image, period=16, columns=24)["input0"]
    compared += equal_values(alone.spikes, sent)

    # fc-3 (depth 9) is reset before steps 9 and 25: one step before its first aligned one
    last = replay(driven_by_spikes(network), sent, period=16, columns=25, early=1)["dense10"]
    for suffix, values in (
        ("s", last.spikes),
        ("u", last.currents),
        ("v", last.membranes),
    ):
        compared += equal_values(values, chip_order(trace(f"{FOLDER}fc-3-{suffix}.npy")))
    assert compared == ALL_VALUES
