"""Layers behind pools: the papers' rate, and what arrives, against torch's own pooling."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tiny_model import LIF  # noqa: E402
from torch import nn  # noqa: E402

from snndeploy.costs import Convention  # noqa: E402
from snndeploy.costs.activity import measure, uniform  # noqa: E402
from snndeploy.costs.comparison import network_costs, price  # noqa: E402
from snndeploy.frontend.torch import trace  # noqa: E402
from snndeploy.passes.partition import partition  # noqa: E402
from snndeploy.passes.signals import infer_signals  # noqa: E402
from snndeploy.report.costs import energy_text  # noqa: E402

pytestmark = pytest.mark.torch


class Pooled(nn.Module):
    """conv - LIF - pool of 2 - conv - LIF - linear, on event counts [B, T, 1, 8, 8]."""

    timesteps, input_shape, input_signal = 3, (3, 1, 8, 8), "integer"

    def __init__(self, pool: nn.Module) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.conv1, self.spike1, self.pool = nn.Conv2d(1, 4, 3, padding=1), LIF(), pool
        self.conv2, self.spike2 = nn.Conv2d(4, 5, 1), LIF()
        self.classify = nn.Linear(5 * 16, 2)

    def forward(self, frames):
        spikes = self.spike1(torch.stack([self.conv1(x) for x in frames.transpose(0, 1)]))
        spikes = self.spike2(torch.stack([self.conv2(self.pool(s)) for s in spikes]))
        return self.classify(spikes.mean(0).flatten(1))


FRAMES = np.random.default_rng(2).poisson(2.0, (6, 3, 1, 8, 8)).astype(np.float32)


def found_of(pool, convention):
    net = Pooled(pool).eval()
    example = torch.zeros(1, *net.input_shape)
    graph = partition(infer_signals(trace(net, example, verify=False)))
    network = network_costs(graph, "pooled", 0)
    return net, network, price(network, measure(graph, FRAMES), convention)


def spikes_of(net):
    seen = []
    handle = net.spike1.register_forward_hook(lambda m, x, spikes: seen.append(spikes))
    with torch.no_grad():
        net(torch.from_numpy(FRAMES))
    handle.remove()
    return seen[0]


@pytest.mark.parametrize("pool", [nn.MaxPool2d(2), nn.AvgPool2d(2)])
def test_what_arrives_behind_a_pool(pool):
    net, network, costed = found_of(pool, Convention())
    spikes = spikes_of(net)
    phi = spikes.mean().item()
    assert 0.1 < phi < 0.9
    pooled = nn.functional.max_pool2d(spikes.flatten(0, 1), 2).mean().item()
    # a 1x1 convolution: each value that is not zero meets 5 outputs; 16 places, 4 channels
    arrives = pooled / phi if isinstance(pool, nn.MaxPool2d) else 4.0
    assert network.behind_pools == ("conv2",)
    assert costed.arriving_behind_pools == pytest.approx((arrives,))
    (line,) = [line for line in costed.lines if line.name == "conv2"]
    assert line.rate == pytest.approx(phi), "the papers' phi of layer n - 1"
    assert line.operations == pytest.approx(3 * 4 * 5 * 16 * phi)
    exact = price(network, costed.activity, Convention(operations="exact"))
    (counted,) = [line for line in exact.lines if line.name == "conv2"]
    assert counted.operations == pytest.approx(arrives * line.operations)
    note = (
        "  - behind a pool: conv2; the rate is that of the neurons before it, as the\n"
        f"    papers count; {arrives:.2f} times FL x rate arrives (operations=exact)\n"
    )
    assert note in energy_text(costed)
    assert "behind a pool" not in energy_text(exact)
    (said,) = costed.as_json()["model"]["behind_pools"]
    assert said == {"layer": "conv2", "events_to_formula": pytest.approx(arrives)}


def test_given_rates_say_only_that_more_may_arrive():
    _, network, _ = found_of(nn.MaxPool2d(2), Convention())
    costed = price(network, uniform(network.neurons, 0.2, 0.5), Convention())
    assert costed.arriving_behind_pools is None
    assert costed.as_json()["model"]["behind_pools"] == [{"layer": "conv2"}]
    assert (
        "  - behind a pool: conv2; the rate is that of the neurons before it, as the\n"
        "    papers count, and more events than FL x rate may arrive (operations=exact)\n"
    ) in energy_text(costed)


def test_pools_in_front_of_the_neurons_concern_no_layer():
    """LIF-SNN-3 (MA Eq. 5); in LIF-SNN-5 every layer but the first and the last reads a pool."""
    from traced import network_of

    assert network_of("lif-snn-3").behind_pools == ()
    assert network_of("lif-snn-5").behind_pools == (
        "convs.1.conv", "convs.2.conv", "convs.3.conv", "convs.4.conv", "linear1",
    )  # fmt: skip
