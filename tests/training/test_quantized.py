"""A quantized module computes what its compiled program computes, before and after training."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from trainable import LIF, Events, Residual, events, images, over_time  # noqa: E402

import snndeploy  # noqa: E402
from snndeploy.engines.reference import run_reference  # noqa: E402
from snndeploy.errors import DataError, ModelError, UnsupportedError  # noqa: E402
from snndeploy.simulator.run import encode, logits_of  # noqa: E402
from snndeploy.target import Target  # noqa: E402
from snndeploy.training import quantized  # noqa: E402

pytestmark = pytest.mark.torch

FOUR_BITS = """
schema = 1
based_on = "{base}"
[chip]
name = "four-bits"
[formats]
weight_bits = {{ value = 4, unit = "bits", mark = "assumed", source = "a test" }}
weight_min = {{ value = -8, unit = "weight units", mark = "assumed", source = "a test" }}
weight_max = {{ value = 7, unit = "weight units", mark = "assumed", source = "a test" }}
"""


def four_bits(base="loihi2"):
    return Target.from_text(FOUR_BITS.format(base=base))


NETS = {
    "gate, no graded spikes": (Residual, images, "loihi1"),
    "bias, 4 bits": (lambda: Residual(gated=False), images, four_bits()),
    "soft reset": (lambda: Residual(reset="soft"), images, "hybrid45nm"),
    "events, 4 bits": (Events, events, four_bits()),
    "currents that last": (lambda: Events(current_decay=0.5), events, "loihi2"),
    "events, above": (lambda: Events(fires_at="gt", decay=0.3), events, "loihi2"),
}


def made(net, data, target):
    x, _ = data(16, seed=7)
    return quantized(net(), target, calibration=x)


def train(module, data, steps=4, rate=0.02):
    """Losses of a few optimizer steps."""
    optimizer = torch.optim.Adam(module.parameters(), rate)
    losses = []
    for step in range(steps):
        x, y = data(16, seed=step)
        loss = nn.functional.cross_entropy(4 * module(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def assert_bit_for_bit(module, x):
    """Logits and spikes: the module's, the simulator's, and those of the reference step."""
    program = module.program(mapping="tiles")
    with torch.no_grad():
        answer = module.answer(x)
    simulation = snndeploy.simulate(program, x.numpy(), reference=False, batch=len(x))
    assert np.array_equal(simulation.logits, answer.logits.numpy())
    injected, _ = encode(program, x.numpy())
    judge = run_reference(program.network, injected)
    assert np.array_equal(logits_of(program.network, judge.outputs), answer.logits.numpy())
    for population in program.network.populations:
        spikes = answer.spikes[population.name].numpy()
        assert np.array_equal(judge.spikes[population.name], spikes), population.name
        if population.neuron.sends:
            assert spikes.any(), f"{population.name} is silent, which proves nothing"


@pytest.mark.parametrize("name", NETS)
def test_logits_and_spikes_are_the_programs_before_and_after_training(name):
    net, data, target = NETS[name]
    module = made(net, data, target)
    x, _ = data(10, seed=99)
    assert_bit_for_bit(module, x)
    before = [p.weight.copy() for p in (q.connection for q in module.network().projections)]
    train(module, data)
    after = [p.connection.weight for p in module.network().projections]
    assert any(not np.array_equal(one, two) for one, two in zip(before, after, strict=True))
    assert_bit_for_bit(module, x)


def test_relays_of_currents_too():
    x, _ = images(16, seed=7)
    module = quantized(Residual(), "hybrid45nm", calibration=x, shortcuts="relay")
    assert any(p.neuron.name == "relay" for p in module.network().populations)
    train(module, images)
    assert_bit_for_bit(module, images(10, seed=99)[0])


@pytest.fixture(scope="module")
def shared():
    """A net and its quantized module, which tests leave as they find it."""
    net = Residual()
    return net, made(lambda: net, images, four_bits())


def test_every_parameter_is_the_users_and_learns(shared):
    net, module = shared
    x, y = images(16)
    assert {id(p) for p in module.parameters()} == {id(p) for p in net.parameters()}
    nn.functional.cross_entropy(4 * module(x), y).backward()
    silent = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert silent == []


@pytest.mark.parametrize(("net", "data"), [(Residual, images), (Events, events)])
def test_the_loss_falls(net, data):
    module = made(net, data, four_bits())
    losses = train(module, data, steps=24, rate=0.01)
    assert np.mean(losses[-4:]) < 0.5 * np.mean(losses[:4])


class OnGrid(nn.Module):
    """Two layers whose weights are multiples of 1/64 and whose spikes come from outside."""

    timesteps, input_signal, input_shape = 4, "binary", (4, 6)

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(5)
        self.first, self.second = nn.Linear(6, 8, bias=False), nn.Linear(8, 3, bias=False)
        for layer in (self.first, self.second):
            drawn = torch.randint(-32, 40, layer.weight.shape, generator=generator)
            layer.weight.data = drawn / 64
        self.spike1, self.spike2 = (LIF(0.5, decay=0.5, fires_at="gt") for _ in range(2))

    def forward(self, spikes):
        spikes = self.spike1(over_time(self.first, spikes.transpose(0, 1)))
        return self.spike2(over_time(self.second, spikes)).sum(0)


def test_the_gradient_is_the_float_models_where_nothing_is_rounded():
    """Its own surrogate is 1 wide, which is two thresholds of 0.5: the default."""
    generator = torch.Generator().manual_seed(6)
    x = torch.randint(0, 2, (12, 4, 6), generator=generator).float()
    net = OnGrid()
    module = quantized(net, "loihi2", calibration=x)
    assert [layer.exact for layer in module.program().facts.quantization] == [True, True]
    weights = torch.tensor([1.0, -2.0, 0.5])
    gradients = []
    for run in (net, module):
        net.zero_grad()
        answer = run(x)
        (answer * weights).sum().backward()
        gradients.append([p.grad.clone() for p in net.parameters()])
    assert torch.equal(net(x).double(), module(x))
    for float_model, integers in zip(*gradients, strict=True):
        assert float_model.abs().max() > 0.1
        assert torch.allclose(float_model, integers, rtol=1e-5, atol=1e-6)


def test_thresholds_a_channel_are_weights_scaled_a_channel():
    """Threshold 0.25 for weights w is 0.5 for 2 w, and d/dw is 2 d/d(2 w)."""
    generator = torch.Generator().manual_seed(6)
    x = torch.randint(0, 2, (12, 4, 6), generator=generator).float()
    scale = torch.tensor([1.0, 2.0] * 4)[:, None]
    two, one = OnGrid(), OnGrid()
    two.spike1.threshold = 0.5 / scale[:, 0]
    with torch.no_grad():
        one.first.weight.mul_(scale)
    modules = [quantized(net, "loihi2", calibration=x) for net in (two, one)]
    answers = [module(x) for module in modules]
    assert torch.equal(*answers)
    for answer in answers:
        (answer * torch.tensor([1.0, -2.0, 0.5])).sum().backward()
    assert two.first.weight.grad.abs().max() > 0.1
    assert torch.allclose(two.first.weight.grad, scale * one.first.weight.grad, rtol=1e-5)


def test_what_was_exact_is_so_only_while_the_weights_say_so():
    x = torch.ones(2, 4, 6)
    net = OnGrid()
    module = quantized(net, "loihi2", calibration=x)
    with torch.no_grad():
        net.first.weight[0, 0] += 0.003
    assert [layer.exact for layer in module.program().facts.quantization] == [False, True]


def test_scales_stay_until_they_are_chosen_again():
    module = made(Residual, images, four_bits())
    units = [p.scale for p in module.network().populations]
    train(module, images, steps=6, rate=0.05)
    assert [p.scale for p in module.network().populations] == units
    module.requantize()
    assert [p.scale for p in module.network().populations] != units
    assert_bit_for_bit(module, images(10, seed=99)[0])


def test_an_exponent_stays_where_a_weight_grows(shared):
    """Else one weight a little larger than the largest would halve the precision of all."""
    net, module = shared
    before = module.network().projections
    weight = net.conv1[0].weight
    kept = weight.detach().clone()
    with torch.no_grad():
        weight[0, 0, 0, 0] = 3 * weight.abs().max()
        after = module.network().projections
        weight.copy_(kept)
    assert [p.exponent for p in after] == [p.exponent for p in before]
    pairs = zip(before, after, strict=True)
    changed = [(p.connection.weight != q.connection.weight).sum() for p, q in pairs]
    assert sum(changed) == 1  # the one weight, clipped


def test_the_users_module_is_as_it_was(shared):
    """Also its norms' statistics, whatever mode it is in."""
    net, module = shared
    x, _ = images(4)
    with torch.no_grad():
        before = net.eval()(x)
        module.train()
        module(x)
        assert torch.equal(net(x), before)


def test_calibration_is_also_a_file(tmp_path):
    x, _ = images(16, seed=7)
    np.savez(tmp_path / "some.npz", x=x.numpy())
    units = [
        [p.scale for p in quantized(Residual(), "loihi2", calibration=given, example=x[:1])
        .network().populations]
        for given in (x, tmp_path / "some.npz")
    ]  # fmt: skip
    assert units[0] == units[1]


def test_a_parameter_that_was_replaced_is_refused():
    net = OnGrid()
    module = quantized(net, "loihi2", calibration=torch.ones(2, 4, 6))
    net.first.weight = nn.Parameter(net.first.weight.detach() * 2)
    with pytest.raises(ModelError) as refused:
        module(torch.ones(2, 4, 6))
    assert str(refused.value) == (
        "parameters of the module were replaced by others since it was quantized; load values into"
        " them (load_state_dict), or quantize the module again"
    )


class InTurn(OnGrid):
    """Leaves its last neuron out when it is told to."""

    leaves_out = False

    def forward(self, spikes):
        if self.leaves_out:
            return self.second(self.spike1(over_time(self.first, spikes.transpose(0, 1)))).sum(0)
        return super().forward(spikes)


def test_another_forward_than_the_traced_one_is_refused():
    net = InTurn()
    module = quantized(net, "loihi2", calibration=torch.ones(2, 4, 6))
    net.leaves_out = True
    with pytest.raises(ModelError) as refused:
        module(torch.ones(2, 4, 6))
    assert str(refused.value) == "neuron spike2 is called less often than when it was traced"


def test_input_of_another_shape_is_refused(shared):
    _, module = shared
    with pytest.raises(DataError) as refused:
        module(torch.zeros(2, 1, 9, 8))
    assert str(refused.value) == "samples have shape (1, 9, 8), the model takes (1, 8, 8)"


class Attended(LIF):
    """A neuron with a gate on its membrane."""

    def __init__(self):
        super().__init__()
        self.gate = Gate()

    neuron_parameters = None

    def step_parameters(self):
        return {**LIF.neuron_parameters(self), "attention": "gate"}

    def forward(self, x):
        carried, spikes = torch.zeros_like(x[0]), []
        for current in x:
            membrane = self.gate((carried + current).unsqueeze(0)).squeeze(0)
            spikes.append((membrane >= self.threshold).to(x.dtype))
            carried = self.decay * membrane * (1 - spikes[-1])
        return torch.stack(spikes)


class Gate(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(x.mean((3, 4), keepdim=True))


def test_a_neuron_that_needs_a_program_is_refused_by_name():
    with pytest.raises(UnsupportedError) as refused:
        made(lambda: Events(v_reset=0.125), events, "loihi2")
    assert str(refused.value) == (
        "spike1 fires by neuron 'programmed', which fine-tuning on integers does not compute; train"
        " it before it is quantized, or leave it out"
    )


def test_attention_in_the_body_is_refused_by_name():
    net = Residual()
    net.spike2 = Attended()
    x, _ = images(4)
    with pytest.raises(UnsupportedError) as refused:
        quantized(net, "hybrid45nm", calibration=x)
    assert str(refused.value) == (
        "spike2 has attention in the body, which fine-tuning on integers does not compute; train it"
        " before it is quantized, or leave it out"
    )
