"""Trained `.net` files of the shared folder, run by the product's simulator."""

import numpy as np

from snndeploy.engines.engine import run_network
from snndeploy.frontend.netx.reader import InputNeuron, load_netx


def test_mnist_accuracy(shared_data):
    """784-128-64-10 with current decay 410: 96.0 % of 500 digits in 32 steps.

    Its author encodes an image as spikes of neurons v += pixel / 255, v > 1, hard reset
    (github.com/R-Gaurav/mnist-on-loihi, net_utils/utils.py): threshold 255 in units of a pixel.
    """
    data = np.load(shared_data / "images" / "mnist5k.npz")
    images, labels = data["x"][::10], data["y"][::10]
    path = shared_data / "lava_dl" / "trained_mnist_network.net"
    network = load_netx(path, 32, input_neuron=InputNeuron(threshold=255, weight=255))
    mantissas = network.injections[0].quantize(images / 255).reshape(-1, 784, 1, 1)
    counts = run_network(network, {0: mantissas}).outputs
    assert (counts.argmax(axis=1) == labels).sum() == 480


def test_tinynet_output(shared_data):
    """As the recording of the wheel, without a download."""
    folder = shared_data / "lava_dl"
    network = load_netx(folder / "tiny.net", 15, apply_input_transform=False)
    bias = np.load(folder / "tinynet" / "input_bias.npy").transpose(2, 1, 0)[None].astype(np.int32)
    activity = run_network(network, {0: bias}, ["conv2"])
    recorded = np.load(folder / "tinynet" / "output.npy")[0].transpose(3, 0, 1, 2)
    assert np.array_equal(activity.spikes["conv2"][0], recorded[1:])
