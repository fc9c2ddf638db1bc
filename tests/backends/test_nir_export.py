"""Out to NIR and in again: the same numbers; and what the format cannot say is refused by name."""

import nir
import numpy as np
import pytest
import torch
from nir_euler import Euler
from nir_graphs import DT, affine, events, neuron, recurrent, written
from torch import nn

from snndeploy import pipeline
from snndeploy.backends import table
from snndeploy.backends.nir.export import described, export_nir
from snndeploy.data import Data
from snndeploy.errors import UnsupportedError
from snndeploy.frontend.torch import trace
from snndeploy.ops.evaluate import evaluate
from snndeploy.pipeline import compile_opened
from snndeploy.simulator.run import simulate
from snndeploy.target import Target

pytestmark = pytest.mark.torch
STEPS = 12


def there_and_back(tmp_path, made, x):
    """The program of the exported file, and its run, beside the first one's."""
    path = tmp_path / "out.nir"
    notes = export_nir(made, path)
    again = pipeline.compile(
        str(path), calibration=Data(x, None, 1.0, "x"), mapping="naive", target=made.target
    )
    return notes, again, simulate(made, x), simulate(again, x)


class Fire(nn.Module):
    """U = d H + x, fires at or above 1 (hard or soft reset)."""

    def __init__(self, decay=0.75, reset="hard", **more):
        super().__init__()
        self.parameters_ = {"kind": "lif", "decay": decay, "threshold": 1.0, "reset": reset,
                            "v_reset": 0.0, "fires_at": "ge", **more}  # fmt: skip

    def neuron_parameters(self):
        return {**self.parameters_, "time_axis": 1}

    def forward(self, x):
        d, hard = self.parameters_["decay"], self.parameters_["reset"] == "hard"
        carried, spikes = torch.zeros_like(x[:, 0]), []
        for step in range(x.shape[1]):
            u = carried + x[:, step]
            s = (u >= 1.0).to(x.dtype)
            carried = d * u * (1 - s) if hard else d * (u - s)
            spikes.append(s)
        return torch.stack(spikes, 1)


class Planes(nn.Module):
    """Convolution with a norm behind it, pool, residual sum, matrix; binary events in."""

    timesteps, input_signal, input_shape = STEPS, "binary", (STEPS, 2, 6, 6)

    def __init__(self, reset="hard", decay=0.75):
        super().__init__()
        torch.manual_seed(3)
        self.conv, self.norm = nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.norm.running_mean.uniform_(-0.2, 0.2)
        self.norm.running_var.uniform_(0.1, 0.4)
        self.fire1, self.fire2 = Fire(decay, reset), Fire(decay, reset)
        self.again, self.pool = nn.Conv2d(4, 4, 1), nn.AvgPool2d(2)
        self.out = nn.Linear(36, 3)

    def step(self, layer, x):
        made = layer(x.flatten(0, 1))
        return made.reshape(*x.shape[:2], *made.shape[1:])

    def forward(self, x):
        first = self.fire1(self.step(lambda y: self.norm(self.conv(y)), x))
        second = self.fire2(self.step(lambda y: self.again(y) * 3, first) + first)
        return self.out(self.step(self.pool, second).flatten(2)).mean(1)


def compiled(module, x, **options):
    from snndeploy.frontend.door import ModelFacts, OpenedModel
    from snndeploy.pipeline.options import Options

    graph = trace(module, torch.as_tensor(x[:1]), name="planes")
    facts = ModelFacts("planes", "planes", "here", 1, "0" * 64, STEPS, x.shape[1:], "binary")
    given = Options(calibration=Data(x, None, 1.0, "x"), mapping="naive", **options)
    return compile_opened(OpenedModel(facts, graph), Target.load("loihi2"), given)


@pytest.mark.parametrize(("reset", "decay"), [("hard", 0.75), ("soft", 0.75), ("hard", 1.0)])
def test_a_torch_network_comes_back_as_it_was(tmp_path, reset, decay):
    x = events(6, STEPS, 2, 6, 6)
    made = compiled(Planes(reset, decay), x)
    notes, _, before, after = there_and_back(tmp_path, made, x)
    np.testing.assert_array_equal(after.logits, before.logits)
    np.testing.assert_allclose(after.reference_logits, before.reference_logits, rtol=0, atol=2e-6)
    assert np.abs(before.logits - before.logits[0]).max() > 0
    assert notes == (
        f"a reader must be told: Euler steps of 0.0001 s, {reset} reset, 12 steps, the answer is"
        " the mean over time (snndeploy reads all this from the file's metadata)",
    )
    kinds = [type(node).__name__ for node in described(made)[0].nodes.values()]
    cell = "IF" if decay == 1 else "LIF"
    assert sorted(kinds) == sorted(
        ["Input", "Conv2d", cell, "Conv2d", "AvgPool2d", cell, "Flatten", "Affine", "Output",
         *(["Scale"] if decay != 1 else [])]
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["IF", "LIF", "CubaLIF"])
@pytest.mark.parametrize("reset", ["hard", "soft"])
def test_a_recurrent_file_comes_back_as_it_was(tmp_path, kind, reset):
    graph = recurrent(affine(6, 6, 0.8, 4), kind=kind)
    x = events(5, STEPS, 5)
    made = pipeline.compile(
        written(tmp_path, graph), calibration=Data(x, None, 1.0, "x"), dt=DT, reset=reset,
        mapping="naive",
    )  # fmt: skip
    _, again, before, after = there_and_back(tmp_path, made, x)
    assert before.logits.max() > 0
    np.testing.assert_array_equal(after.logits, before.logits)
    np.testing.assert_allclose(after.reference_logits, before.reference_logits, rtol=0, atol=1e-6)
    assert again.facts.model.timesteps == STEPS


def test_what_is_written_is_what_plain_euler_steps_compute(tmp_path):
    """Its reader needs nothing of this package: the file alone, and what the note says."""
    x = events(3, STEPS, 2, 6, 6)
    made = compiled(Planes(), x)
    export_nir(made, tmp_path / "out.nir")
    file = nir.read(tmp_path / "out.nir")
    (due,) = evaluate(made.model, torch.as_tensor(x), double=True).values()
    found = np.stack([Euler(file, dt=1e-4).run(sample).mean(axis=0) for sample in x])
    np.testing.assert_allclose(found, due.numpy(), rtol=0, atol=1e-5)


def test_sums_over_windows_stay_sums(tmp_path):
    pool = nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0]))
    fires = nir.IF(r=np.ones((2, 2, 2)), v_threshold=np.full((2, 2, 2), 2.0))
    conv = nir.Conv2d((4, 4), np.eye(2, dtype=np.float32)[:, :, None, None] * 1.5, (1, 1), (0, 0),
                      (1, 1), 1, np.zeros(2, np.float32))  # fmt: skip
    first = nir.IF(r=np.ones((2, 4, 4)), v_threshold=np.ones((2, 4, 4)))
    graph = nir.NIRGraph.from_list(conv, first, pool, fires)
    x = events(4, STEPS, 2, 4, 4)
    made = pipeline.compile(written(tmp_path, graph), calibration=Data(x, None, 1.0, "x"),
                            mapping="naive")  # fmt: skip
    nodes = described(made)[0].nodes.values()
    assert [type(n).__name__ for n in nodes].count("SumPool2d") == 1
    assert not any(isinstance(n, nir.Scale) for n in nodes)
    _, _, before, after = there_and_back(tmp_path, made, x)
    np.testing.assert_array_equal(after.logits, before.logits)


def test_what_nir_cannot_say(tmp_path):
    x = events(3, STEPS, 2, 6, 6)
    module = Planes()
    module.pool = nn.MaxPool2d(2)
    made = compiled(module, x)
    with pytest.raises(UnsupportedError) as caught:
        table.emit(table.named("nir"), made, x, tmp_path / "out.nir")
    assert str(caught.value) == "pool: computes 'max_pool', which NIR cannot say"
    assert not (tmp_path / "out.nir").exists()


def test_resets_of_two_kinds(tmp_path):
    x = events(3, STEPS, 2, 6, 6)
    module = Planes()
    module.fire2 = Fire(0.75, "soft")
    with pytest.raises(UnsupportedError) as caught:
        table.emit(table.named("nir"), compiled(module, x), x, tmp_path / "out.nir")
    assert str(caught.value) == (
        "its neurons reset in different ways or have different lower bounds, and a NIR file says"
        " neither: one for all can be told to its reader"
    )


def test_neurons_that_nir_does_not_have():
    from snndeploy.backends.nir.neurons import equation
    from snndeploy.graph import Node

    plain = {"kind": "lif", "decay": 0.5, "threshold": 1.0, "reset": "hard", "v_reset": 0.0,
             "fires_at": "ge"}  # fmt: skip
    for more, said in (
        ({"refractory": 2}, "has 2 refractory steps"), ({"initial": 0.5}, "starts at 0.5"),
        ({"reset": "none"}, "does not reset"), ({"most_spikes": 3}, "fires up to 3 times a step"),
        ({"reset": "soft_after"}, "subtracts behind the leak"),
        ({"current_decay": 1.0}, "has a current that does not leak"),
        ({"current_decay": 0.5, "decay": 1.0}, "has a current and no leak of its membrane"),
    ):  # fmt: skip
        with pytest.raises(UnsupportedError) as caught:
            equation(Node("n", "neuron", attributes={**plain, **more}))
        assert str(caught.value) == f"n: {said}, which NIR cannot say"


def test_a_neuron_is_written_for_each_reader(tmp_path):
    """R is 1 in a LIF (Norse ignores it), R = tau/dt in a CubaLIF (snnTorch reads no other)."""
    graph = nir.NIRGraph.from_list(affine(6, 5), neuron("LIF", 6), affine(4, 6, 2.0, 1),
                                   neuron("CubaLIF", 4))  # fmt: skip
    x = events(3, STEPS, 5)
    made = pipeline.compile(written(tmp_path, graph), calibration=Data(x, None, 1.0, "x"), dt=DT,
                            mapping="naive")  # fmt: skip
    nodes = described(made)[0].nodes
    lif, cuba = nodes["lif"], nodes["cubalif"]
    assert (lif.r == 1).all() and (lif.v_threshold == 0.6).all()
    np.testing.assert_allclose(lif.tau, 8e-4, rtol=1e-12)
    np.testing.assert_allclose(cuba.r, cuba.tau_mem / 1e-4, rtol=1e-12)
    np.testing.assert_allclose(cuba.w_in, cuba.tau_syn / 1e-4, rtol=1e-12)
