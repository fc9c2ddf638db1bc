"""The LIF's spikes against the golden traces of the papers, and its protocol with the compiler."""

from __future__ import annotations

from fractions import Fraction

import pytest

torch = pytest.importorskip("torch")

from neurons import (  # noqa: E402
    LIF,
    PARAMETRIC_PRESETS,
    PLIF,
    PRESETS,
    Surrogate,
    over_time,
    preset,
    threshold_of,
)

pytestmark = pytest.mark.torch

# threshold, decay, inputs, spikes with >=, spikes with > (papers' section 2, decimal arithmetic)
GOLDEN = [
    ("0.3", "0.3", "0.3 0.3 0.3 0.3 0.3 0.3", "1 1 1 1 1 1", "0 1 0 1 0 1"),
    ("0.3", "0.3", "0.2 0.25 0.1 0.3 0.5 0", "0 1 0 1 1 0", "0 1 0 1 1 0"),
    ("0.5", "0.25", "0.4 0.4 0.4 0.4 0.4 0.4", "0 1 0 1 0 1", "0 0 1 0 0 1"),
]


def bits(text: str) -> list[int]:
    return [int(word) for word in text.split()]


def exact_spikes(threshold: str, decay: str, inputs: str, strict: bool) -> list[int]:
    """The text equation in fractions: no rounding at ties."""
    carried, spikes = Fraction(0), []
    for word in inputs.split():
        membrane = carried + Fraction(word)
        limit = Fraction(threshold)
        spike = membrane > limit if strict else membrane >= limit
        spikes.append(int(spike))
        carried = Fraction(0) if spike else Fraction(decay) * membrane
    return spikes


def spikes_of(neuron: LIF, inputs: str) -> list[int]:
    current = torch.tensor([float(word) for word in inputs.split()], dtype=torch.float64)
    return [int(value) for value in neuron(current[:, None]).flatten()]


@pytest.mark.parametrize(("threshold", "decay", "inputs", "at_least", "above"), GOLDEN)
def test_golden_traces(threshold: str, decay: str, inputs: str, at_least: str, above: str) -> None:
    for fires_at, expected in (("ge", bits(at_least)), ("gt", bits(above))):
        assert exact_spikes(threshold, decay, inputs, fires_at == "gt") == expected
        neuron = LIF(float(threshold), float(decay), fires_at)
        assert spikes_of(neuron, inputs) == expected


# First firing step of direct coding under a constant input (papers' section 6; None: never).
PERIODS = {".55": 1, ".5": 1, ".49": 2, ".45": 2, ".41": 2, ".4": 2, ".38": 4, ".37": None}


@pytest.mark.parametrize(("current", "period"), PERIODS.items())
def test_direct_coding_period(current: str, period: int | None) -> None:
    spikes = spikes_of(LIF(0.5, 0.25, "ge"), f"{current} " * 12)
    expected = [int(period is not None and step % period == 0) for step in range(1, 13)]
    assert spikes == expected


def test_strict_period_at_the_tie() -> None:
    assert spikes_of(LIF(0.5, 0.25, "gt"), ".5 .5 .5 .5") == [0, 1, 0, 1]


def test_reset_voltage_is_not_decayed() -> None:
    # After the spike H = 0.2, not 0.05: 0.2 + 0.3 reaches the threshold.
    assert spikes_of(LIF(0.5, 0.25, "ge", v_reset=0.2), "0.5 0.3") == [1, 1]
    assert spikes_of(LIF(0.5, 0.25, "ge"), "0.5 0.3") == [1, 0]


def test_soft_reset_keeps_the_excess() -> None:
    # U = 1.5, H = 0.5 * (1.5 - 1) = 0.25; 0.25 + 0.75 reaches 1, a hard reset would not.
    assert spikes_of(LIF(1.0, 0.5, "ge", reset="soft"), "1.5 0.75") == [1, 1]
    assert spikes_of(LIF(1.0, 0.5, "ge"), "1.5 0.75") == [1, 0]


# The published MA code resets to decay * V_th (papers' section 2, last column).
MA_CODE = [
    ("0.3", "0.3", "0.3 0.3 0.3 0.3 0.3 0.3", "1 1 1 1 1 1"),
    ("0.3", "0.3", "0.2 0.25 0.1 0.3 0.5 0", "0 1 0 1 1 0"),
    ("0.5", "0.25", "0.4 0.4 0.4 0.4 0.4 0.4", "0 1 1 1 1 1"),
]


@pytest.mark.parametrize(("threshold", "decay", "inputs", "expected"), MA_CODE)
def test_reset_of_the_published_ma_code(
    threshold: str, decay: str, inputs: str, expected: str
) -> None:
    v_reset = float(Fraction(threshold) * Fraction(decay))
    neuron = LIF(float(threshold), float(decay), "ge", v_reset=v_reset)
    assert spikes_of(neuron, inputs) == bits(expected)


def published_plif(current: torch.Tensor, rate: float, threshold: float) -> torch.Tensor:
    """V = V' + a * (X - V'), S = V >= V_th, V' = V * (1 - S)."""
    voltage, spikes = torch.zeros_like(current[0]), []
    for step in current:
        voltage = voltage + rate * (step - voltage)
        spikes.append((voltage >= threshold).to(current.dtype))
        voltage = voltage * (1 - spikes[-1])
    return torch.stack(spikes)


@pytest.mark.parametrize("weight", [-1.0, 0.0, 0.7])
def test_plif_is_the_published_neuron_and_a_lif(weight: float) -> None:
    neuron = PLIF(1.0, 2.0, "ge").double()
    torch.nn.init.constant_(neuron.weight, weight)
    current = torch.rand((20, 3, 50), dtype=torch.float64, generator=torch.manual_seed(2)) * 4
    spikes = neuron(current)
    assert 0.05 < spikes.mean() < 0.95
    rate = float(torch.sigmoid(neuron.weight.detach()))
    assert torch.equal(spikes, published_plif(current, rate, 1.0))
    found = neuron.neuron_parameters()
    assert found["kind"] == "lif"
    same = LIF(found["threshold"], found["decay"], "ge")  # type: ignore[arg-type]
    assert torch.equal(spikes, same(current))


def test_plif_learns_its_time_constant() -> None:
    neuron = preset("plif")
    assert isinstance(neuron, PLIF)
    assert neuron.neuron_parameters()["decay"] == 0.5
    assert threshold_of("plif") == neuron.neuron_parameters()["threshold"] == 2.0
    assert threshold_of("gac") == 0.5
    neuron(torch.rand(5, 20) * 3).sum().backward()
    assert neuron.weight.grad is not None
    assert neuron.weight.grad != 0
    with pytest.raises(ValueError, match=r"time_constant is 1.0; it must exceed 1 step"):
        PLIF(1.0, 1.0, "ge")


def test_no_state_between_calls_and_input_untouched() -> None:
    neuron = preset("gac")
    current = torch.full((3, 2, 4), 0.4)
    before = current.clone()
    first, second = neuron(current), neuron(current)
    assert torch.equal(first, second)
    assert torch.equal(current, before)


def test_training_and_inference_fire_alike() -> None:
    neuron = preset("ma_events")
    current = torch.randint(0, 7, (8, 5, 11), generator=torch.Generator().manual_seed(1)) * 0.1
    assert torch.equal(neuron(current), neuron(current.clone().requires_grad_()).detach())


@pytest.mark.parametrize(("surrogate", "slope"), [("rectangle", 1.0), ("atan", 0.8)])
def test_surrogate_gradient_flows_through_the_membrane(surrogate: Surrogate, slope: float) -> None:
    # U = 0.25, then 0.25 * 0.25 + 0.28 = 0.3425; the atan slope at U - 0.5 = -0.1575 is 0.803.
    neuron = LIF(0.5, 0.25, "ge", surrogate=surrogate)
    current = torch.tensor([[0.25], [0.28]], requires_grad=True)
    neuron(current)[1].sum().backward()
    assert current.grad is not None
    first, second = current.grad.flatten().tolist()
    assert second == pytest.approx(slope, abs=0.005)
    assert first == pytest.approx(0.25 * second)


def test_no_gradient_through_the_reset() -> None:
    current = torch.tensor([[0.6], [0.3]], requires_grad=True)
    preset("gac")(current)[1].sum().backward()
    assert current.grad is not None
    assert current.grad.flatten().tolist() == [0.0, 1.0]


def test_parameters_for_the_compiler() -> None:
    assert LIF(0.3, 0.4, "gt", v_reset=0.1).neuron_parameters() == {
        "kind": "lif",
        "threshold": 0.3,
        "decay": 0.4,
        "v_reset": 0.1,
        "fires_at": "gt",
        "reset": "hard",
        "time_axis": 0,
    }


def test_presets_hold_the_papers_values() -> None:
    values = {name: (p["threshold"], p["decay"], p["fires_at"]) for name, p in PRESETS.items()}
    assert values == {
        "gac": (0.5, 0.25, "ge"),
        "gac_strict": (0.5, 0.25, "gt"),
        "gac_code_cifar": (1.0, 0.5, "gt"),
        "ma_events": (0.3, 0.3, "ge"),
        "ma_imagenet": (0.5, 0.25, "ge"),
        "ma_imagenet_strict": (0.5, 0.25, "gt"),
        "asa_gesture_gait": (0.3, 0.3, "ge"),
        "asa_daily_action_har": (1.0, 0.5, "ge"),
        "ma_code_events": (0.3, 0.3, "ge"),
        "integrate_and_fire": (1.0, 1.0, "ge"),
    }
    resets = {name: p["v_reset"] for name, p in PRESETS.items() if "v_reset" in p}
    assert resets == {"ma_code_events": 0.09}
    assert set(PARAMETRIC_PRESETS) == {"plif"}


def test_missing_arguments_and_bad_words_are_refused() -> None:
    with pytest.raises(TypeError):
        LIF(0.5, 0.25)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match=r"fires_at is '>='; use 'ge' \(U >= V_th\) or 'gt'"):
        LIF(0.5, 0.25, ">=")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="reset is 'none'; use 'hard' or 'soft'"):
        LIF(0.5, 0.25, "ge", reset="none")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="v_reset must stay 0"):
        LIF(0.5, 0.25, "ge", v_reset=0.1, reset="soft")
    with pytest.raises(ValueError, match="no neuron preset 'gca'; known: gac, gac_strict"):
        preset("gca")


def test_over_time_is_the_layer_at_every_step() -> None:
    layer = torch.nn.Conv2d(2, 3, 3)
    sequence = torch.rand(4, 5, 2, 6, 6)
    expected = torch.stack([layer(step) for step in sequence])
    torch.testing.assert_close(over_time(layer, sequence), expected)
