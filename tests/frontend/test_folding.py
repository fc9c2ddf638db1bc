"""What depends on parameters alone is worked out when a model is traced."""

from __future__ import annotations

import pytest
import torch
from tiny import LIF
from torch import nn
from torch.nn.utils import parametrizations, prune, spectral_norm

from snndeploy.errors import UnsupportedError
from snndeploy.frontend.torch import trace
from snndeploy.ops.evaluate import evaluate

pytestmark = pytest.mark.torch
T = 3


class Own(nn.Module):
    """A neuron that says nothing: its loop is read."""

    def forward(self, x):
        v, out = torch.zeros_like(x[0]), []
        for current in x:
            v = 0.5 * v + current
            fired = (v > 1.0).float()
            v = v * (1 - fired)
            out.append(fired)
        return torch.stack(out)


class Net(nn.Module):
    timesteps, input_signal = T, "binary"

    def __init__(self, layer, neuron):
        super().__init__()
        self.layer, self.neuron, self.last = layer, neuron, nn.Linear(6, 2)

    def forward(self, x):
        return self.last(self.neuron(self.layer(x.transpose(0, 1)))).mean(0)


class Sign(nn.Linear):
    def forward(self, x):
        weight = self.weight.sign() * self.weight.abs().mean(1, keepdim=True)
        return nn.functional.linear(x, weight, self.bias)


class Standardised(nn.Linear):
    def forward(self, x):
        mean, variance = self.weight.mean(1, keepdim=True), self.weight.var(1, keepdim=True)
        return nn.functional.linear(x, (self.weight - mean) / (variance + 1e-5).sqrt(), self.bias)


class Rows(nn.Linear):
    def forward(self, x):
        return x @ nn.functional.normalize(self.weight, dim=1).t()


class Quantised(nn.Linear):
    def forward(self, x):
        step = self.weight.abs().max() / 127
        return nn.functional.linear(x, (self.weight / step).round().clamp(-127, 127) * step)


class Flattened(nn.Conv2d):
    def forward(self, x):
        return nn.functional.linear(x, self.weight.flatten(1), self.bias)


class Masked(nn.Linear):
    def forward(self, x):
        return torch.addmm(self.bias, x.flatten(0, 1), (self.weight * torch.ones(6, 1)).t()).view(
            *x.shape[:2], -1
        )


class Gained(nn.Linear):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.gain, self.shift = nn.Parameter(torch.rand(6) + 1), nn.Parameter(torch.rand(6))

    def forward(self, x):
        return super().forward(x) * self.gain - self.shift


class Smallest(nn.Linear):
    """A call with two results, of which one is used."""

    def forward(self, x):
        least, _ = self.weight.abs().min(1, keepdim=True)
        return nn.functional.linear(x, self.weight - least)


def pruned():
    layer = nn.Linear(8, 6)
    prune.l1_unstructured(layer, "weight", amount=0.5)
    layer(torch.zeros(8))  # leaves a weight that torch does not copy
    return layer


LAYERS = {
    "weight norm": lambda: parametrizations.weight_norm(nn.Linear(8, 6)),
    "spectral norm": lambda: parametrizations.spectral_norm(nn.Linear(8, 6)),
    "spectral norm by a hook": lambda: spectral_norm(nn.Linear(8, 6)),
    "pruned": pruned,
    "signs": lambda: Sign(8, 6),
    "standardised": lambda: Standardised(8, 6),
    "rows of length one": lambda: Rows(8, 6, bias=False),
    "fake quantisation": lambda: Quantised(8, 6, bias=False),
    "flattened": lambda: Flattened(2, 6, 2),
    "masked": lambda: Masked(8, 6),
    "smallest": lambda: Smallest(8, 6, bias=False),
    "gains": lambda: Gained(8, 6),
}


@pytest.mark.parametrize(
    "name, neuron",
    [*((name, LIF) for name in LAYERS), *((name, Own) for name in ("pruned", "signs", "gains"))],
)
def test_weights_that_are_computed_are_folded(name, neuron):
    torch.manual_seed(0)
    model = Net(LAYERS[name](), neuron()).eval()
    graph = trace(model, torch.zeros(1, T, 8))
    norms = ["norm", "norm"] if name == "gains" else []
    kept = [node.op for node in graph.nodes if node.op not in ("view", "permute", "input")]
    assert kept == ["linear", *norms, "neuron", "linear", "mean"]
    x = torch.randint(0, 2, (4, T, 8)).float()
    with torch.no_grad():
        wanted = model(x)
    found = evaluate(graph, x.numpy())[graph.outputs[0]]
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)


class Noisy(nn.Linear):
    def forward(self, x):
        return nn.functional.linear(x, self.weight * torch.rand(6, 8))


def test_random_numbers_are_not_folded():
    with pytest.raises(
        UnsupportedError, match=r"aten\.rand in module 'layer' .*draws random numbers"
    ):
        trace(Net(Noisy(8, 6), LIF()), torch.zeros(1, T, 8))


class Varied(nn.Module):
    def __init__(self):
        super().__init__()
        self.place = nn.Parameter(torch.rand(4, 8))

    def forward(self, x):
        return (x.unflatten(2, (2, 4)).unsqueeze(-1).expand(-1, -1, -1, -1, 8) + self.place).sum(
            (3, 4)
        )


def test_a_stored_tensor_that_is_no_norm_is_named():
    model = Net(nn.Sequential(Varied(), nn.Linear(2, 6)), LIF())
    reason = "a stored tensor that varies along more than the channels is no norm"
    with pytest.raises(UnsupportedError, match=f"aten.add.Tensor in module 'layer.0' .*{reason}"):
        trace(model, torch.zeros(1, T, 8))
