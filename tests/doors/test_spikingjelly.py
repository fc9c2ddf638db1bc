"""SpikingJelly 2.0: its model zoo in both step modes, as it is (tests/doors/models).

Mode m takes all steps at once; in mode s the loop is the user's, and the model is called T times.
Its MS-ResNet and MA-SNN have mode m alone.  MA-SNN's attention multiplies on the chip.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from journey import journey

from snndeploy.pipeline.options import Options

pytestmark = [pytest.mark.doors, pytest.mark.slow]

MODELS = Path(__file__).with_name("models") / "spikingjelly_nets.py"
STEPS = 4
CIFAR, GESTURE, SMALL = (3, 32, 32), (2, 128, 128), (2, 32, 32)
LOIHI = [
    (f'{network}"{mode}")', shape, mode, neurons)
    for network, shape, neurons in [
        ('resnet18("spiking", ', CIFAR, 17),
        ('resnet18("sew", ', CIFAR, 20),
        ("vgg11_bn(", CIFAR, 10),
        ("cifar10net(", CIFAR, 8),
        ("dvsgesturenet(", GESTURE, 7),
    ]
    for mode in "ms"
]


def came(network, shape, named="", **more):
    return journey(
        "SpikingJelly", "2.0.0", named or network, f"{MODELS}:{network}", input_shape=shape,
        timesteps=STEPS, random_weights=True, **more,
    )  # fmt: skip


@pytest.mark.parametrize("network, shape, mode, neurons", LOIHI)
def test_compiles_for_loihi2(network, shape, mode, neurons):
    signal = "binary" if shape == GESTURE else "real"
    found = came(network, (STEPS, *shape) if mode == "m" else shape, input_signal=signal)
    assert_compiled(found, neurons)


def test_ms_resnet_repeats_its_image():
    assert_compiled(came('resnet18("ms", "m")', CIFAR), 17)


def test_attention_in_the_body_compiles_for_a_chip_that_multiplies():
    shape = (STEPS, *SMALL)
    assert_compiled(came("masnn_dvs()", shape, input_signal="binary", target="hybrid45nm"), 5)


def test_attention_on_the_host():
    options = Options(host_attention=True)
    given = {"input_signal": "binary", "options": options, "named": "masnn_dvs(), on the host"}
    assert_compiled(came("masnn_dvs()", (STEPS, *SMALL), **given), 5)


def test_attention_in_the_body_is_refused_by_what_loihi2_lacks():
    found = came("masnn_dvs()", (STEPS, *SMALL), input_signal="binary")
    assert found.row.reached == "audited"
    assert "multipl" in found.row.said, found.row.said


def assert_compiled(found, neurons):
    assert (found.row.reached, found.row.said) == ("compiled", "")
    nodes = found.opened.graph.neurons()
    assert len(nodes) == neurons
    assert all(node.attributes["fires_at"] == "ge" for node in nodes)
