"""An ANN becomes integrate-and-fire neurons: what rates they reach, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_model import Net
from torch import nn

from snndeploy.conversion.activations import pooled_behind, thresholds
from snndeploy.conversion.convert import BALANCED_ON, convert
from snndeploy.data import Data
from snndeploy.errors import DataError, ModelError, UnsupportedError
from snndeploy.frontend.torch import trace
from snndeploy.ops.evaluate import by_step, evaluate
from snndeploy.passes.signals import infer_signals

pytestmark = pytest.mark.torch

SHAPE = (1, 6, 6)


def graph_of(module, shape=SHAPE):
    traced = trace(module.eval(), torch.zeros(1, *shape), timesteps=1, spiking=False)
    return infer_signals(traced)


def data(samples=80, shape=SHAPE, seed=0, y=None):
    x = np.random.default_rng(seed).random((samples, *shape)).astype(np.float32)
    return Data(x, y, 1.0, "random.npz")


class Residual(nn.Module):
    """Two branches of different scale, joined before a ReLU; pools, a norm, a softmax."""

    def __init__(self, pool=None):
        super().__init__()
        torch.manual_seed(1)
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.norm.running_var.fill_(0.2)
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.pool = pool or nn.AvgPool2d(2)
        self.classify = nn.Linear(4 * 3 * 3, 5)

    def forward(self, x):
        x = torch.relu(self.norm(self.first(x)))
        x = nn.functional.relu6(self.second(x) + 3 * x)
        return torch.softmax(self.classify(self.pool(x).flatten(1)), -1)


def test_one_neuron_says_its_current_in_steps_of_theta_over_t():
    """θ * mean of S = clip(round-half-up(T I / θ) θ / T, 0, θ), for a constant I."""
    module = nn.Sequential(nn.Linear(1, 1), nn.ReLU())
    with torch.no_grad():
        module[0].weight.fill_(1.0)
        module[0].bias.fill_(0.0)
    x = np.linspace(-1, 1, 41, dtype=np.float32)[:, None]
    steps = 8
    made, known = convert(graph_of(module, (1,)), Data(x, None, 1.0, "x"), steps, 100.0)
    (found,) = evaluate(infer_signals(made), x, double=True).values()
    theta = known.thresholds[0].threshold
    assert theta == 1.0
    wanted = np.clip(np.floor(x.astype(np.float64) * steps + 0.5), 0, steps) / steps
    assert np.array_equal(found.numpy(), wanted)


@pytest.mark.parametrize("pool", [None, nn.AdaptiveAvgPool2d(3)])
def test_the_answer_nears_the_ann_s(pool):
    module, samples = Residual(pool), data()
    _, known = convert(graph_of(module), samples, 256, 100.0)
    rows = {row.timesteps: row for row in known.steps}
    assert list(rows) == [1, 2, 4, 8, 16, 32, 64, 128, 256]
    assert rows[256].agreement == 1.0
    assert rows[256].distance < 0.02 < rows[4].distance
    assert rows[256].distance < rows[16].distance / 4
    assert (known.balanced_on, known.measured_on, known.fresh) == (BALANCED_ON, 16, True)


class Around(nn.Module):
    """The input itself goes around the first neuron."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.first, self.second = nn.Linear(6, 6), nn.Linear(6, 6)

    def forward(self, x):
        return torch.relu(self.second(torch.relu(self.first(x)) + x))


def test_a_value_that_no_neuron_makes_is_the_same_at_every_step():
    made, known = convert(graph_of(Around(), (6,)), data(80, (6,)), 128, 100.0)
    assert known.steps[-1].distance < 0.02
    assert len(infer_signals(made).neurons()) == 2


def test_the_table_is_what_a_conversion_for_fewer_steps_does():
    samples = data()
    long, short = (convert(graph_of(Residual()), samples, steps, 99.0)[1] for steps in (12, 4))
    assert [row.timesteps for row in long.steps] == [1, 2, 4, 8, 12]
    assert short.steps == long.steps[:3] and short.thresholds == long.thresholds


def test_spikes_are_all_that_a_layer_behind_the_first_sees():
    made, _ = convert(graph_of(Residual()), data(), 5)
    made = infer_signals(made)
    neurons = made.neurons()
    assert len(neurons) == 2
    x = data().inputs()[:3]
    for node in neurons:
        assert node.signal.kind == "binary"
        spikes = by_step(node, evaluate(made, x, record=[node.name])[node.name], 3)
        assert set(np.unique(spikes)) == {0.0, 1.0}
        stated = node.attributes
        assert stated["initial"] == stated["threshold"] / 2 and stated["reset"] == "soft"
    assert made.by_name[made.outputs[0]].op == "softmax"


def test_thresholds_are_percentiles_of_what_is_positive():
    module = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2), nn.ReLU6())
    torch.manual_seed(0)
    x = data(200, (4,)).inputs()
    graph = graph_of(module, (4,))
    with torch.no_grad():
        first = torch.relu(module[0](torch.from_numpy(x))).numpy()
    found = list(thresholds(graph, x, 90.0).values())
    positive = first[first > 0].astype(np.float64)
    assert found[0].threshold == pytest.approx(np.percentile(positive, 90.0), rel=1e-6)
    assert found[0].largest == pytest.approx(positive.max(), rel=1e-6)
    assert found[0].clipped == pytest.approx(0.1, abs=0.005)


def test_a_clip_is_the_threshold_where_it_is_reached():
    module = nn.Sequential(nn.Linear(4, 3), nn.ReLU6())
    with torch.no_grad():
        module[0].weight.fill_(5.0)
    (found,) = thresholds(graph_of(module, (4,)), data(50, (4,)).inputs(), 100.0).values()
    assert found.threshold == 6.0


def test_labels_say_the_accuracy():
    module, samples = Residual().eval(), data()
    with torch.no_grad():
        best = module(torch.from_numpy(samples.inputs())).argmax(1).numpy()
    _, known = convert(graph_of(module), replace(samples, y=best), 64)
    assert known.ann_accuracy == 1.0
    assert known.steps[-1].accuracy == known.steps[-1].agreement
    wrong = replace(samples, y=(best + 1) % 5)
    assert convert(graph_of(module), wrong, 64)[1].ann_accuracy == 0.0
    assert convert(graph_of(module), samples, 64)[1].steps[-1].accuracy is None


# max pools


def pooled():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(36, 3)
    )


def test_a_pool_in_front_of_a_relu_is_put_behind_it():
    graph = graph_of(pooled())
    swapped = pooled_behind(graph)
    assert [n.op for n in swapped.nodes][2:4] == ["relu", "max_pool"]
    x = data().inputs()
    ours, theirs = (next(iter(evaluate(g, x).values())) for g in (swapped, graph))
    assert torch.equal(ours, theirs)


def test_a_max_pool_of_rates_needs_a_choice():
    said = (
        "'1' takes the maximum of rates, and the maximum of spikes is another number: give"
        " --max-pool average or --max-pool any (a spike wherever one is in the window), and read"
        " what it costs in the accuracy; or train with average pools"
    )
    with pytest.raises(UnsupportedError) as caught:
        convert(graph_of(pooled()), data(), 4)
    assert str(caught.value) == said


def test_any_spike_of_the_window_and_the_average_bracket_the_maximum():
    """average of rates <= maximum of rates <= rate of any spike, window by window."""
    module = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
    graph, samples = graph_of(module), data()
    found = {}
    for kind in ("average", "any"):
        made, known = convert(graph, samples, 512, 100.0, kind)
        assert known.max_pools == kind
        found[kind] = next(iter(evaluate(infer_signals(made), samples.inputs()[:4]).values()))
    (exact,) = evaluate(graph, samples.inputs()[:4]).values()
    assert (found["average"] <= exact + 0.01).all() and (exact <= found["any"] + 0.01).all()
    assert not torch.allclose(found["any"], exact, atol=0.02)


# refusals


class Odd(nn.Module):
    def __init__(self, function):
        super().__init__()
        torch.manual_seed(2)
        self.first, self.last, self.function = nn.Linear(6, 6), nn.Linear(6, 2), function

    def forward(self, x):
        return self.last(torch.relu(self.function(torch.relu(self.first(x)))))


@pytest.mark.parametrize(
    ("function", "operation"), [(torch.sigmoid, "sigmoid"), (lambda x: x * x, "multiply")]
)
def test_other_functions_of_rates_are_refused(function, operation):
    with pytest.raises(UnsupportedError, match=f"{operation} of rates of spikes cannot be"):
        convert(graph_of(Odd(function), (6,)), data(20, (6,)), 4)


def test_a_silent_layer_cannot_be_balanced():
    module = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 2))
    with torch.no_grad():
        module[0].weight.zero_()
        module[0].bias.fill_(-1.0)
    with pytest.raises(DataError, match="no calibration sample makes one of its activations posit"):
        convert(graph_of(module, (6,)), data(20, (6,)), 4)


def test_nothing_to_convert():
    with pytest.raises(ModelError, match="no ReLU that could become a neuron"):
        convert(graph_of(nn.Linear(6, 2), (6,)), data(20, (6,)), 4)


def test_a_spiking_network_is_none():
    graph = infer_signals(trace(Net(timesteps=1), torch.zeros(1, 1, 8, 8)))
    with pytest.raises(ModelError, match="'spike1' is a neuron already: compile without --convert"):
        convert(graph, data(20, (1, 8, 8)), 4)
