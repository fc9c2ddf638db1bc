"""Parameter and neuron counts of the papers, shapes, and what the encoders compute."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

import gac  # noqa: E402
import lif_snn  # noqa: E402
import ms_resnet  # noqa: E402
from encoders import (  # noqa: E402
    SpatialChannelAttention,
    TemporalAttention,
    conv_norm,
    paper_gac,
)
from neurons import LIF, preset  # noqa: E402
from zoo import Factory, neuron_sizes, on_meta, parameters  # noqa: E402

pytestmark = pytest.mark.torch

# The numbers P1, P4, P5, P6, P7 of the papers; GAC MS-ResNet-34 and the digits are derived.
PARAMETERS: list[tuple[Factory, int]] = [
    (lambda: lif_snn.lif_snn_3(60, 11), 2_323_531),
    (lambda: ms_resnet.ms_resnet18(6), 11_693_736),
    (lambda: ms_resnet.ms_resnet34(6), 21_801_896),
    (lambda: ms_resnet.ms_resnet18_cifar(6, 10), 12_502_090),
    (lambda: ms_resnet.ms_resnet18_cifar(6, 100), 12_548_260),
    (lambda: gac.gac_ms_resnet_cifar(6, 10), 12_633_198),
    (lambda: gac.gac_ms_resnet_cifar(6, 100), 12_679_368),
    (lambda: gac.gac_ms_resnet18(6), 11_824_844),
    (lambda: gac.gac_ms_resnet18(4), 11_824_824),
    (lambda: gac.gac_ms_resnet34(4), 21_801_896 + 131_072 + 16),
    (lambda: gac.gac_digits(4), 78_010 + 2 * 16 * 16 * 16 + 16),
    (lambda: gac.direct_digits(4), 78_010),
    (lambda: gac.ms_digits(4), 78_010),
]

# Neurons per step at the firing functions: P2 and the table of section 4. GAC and direct coding
# add the encoder's LIF: 64 channels at 32 x 32 (CIFAR) or 112 x 112 (ImageNet).
NEURONS: list[tuple[Factory, int]] = [
    (lambda: lif_snn.lif_snn_3(2, 11), 106_763),
    (lambda: ms_resnet.ms_resnet18(1), 2_308_096),
    (lambda: ms_resnet.ms_resnet34(1), 3_562_496),
    (lambda: ms_resnet.ms_resnet18_cifar(1, 10), 1_376_256),
    (lambda: ms_resnet.ms_resnet18_cifar(1, 10, encoder="direct"), 1_376_256 + 65_536),
    (lambda: gac.gac_ms_resnet_cifar(2, 10), 1_376_256 + 65_536),
    (lambda: gac.gac_ms_resnet18(2), 2_308_096 + 802_816),
    (lambda: gac.gac_digits(4), 17_728),
    (lambda: gac.ms_digits(4), 14_592),
]


@pytest.mark.parametrize(("factory", "expected"), PARAMETERS)
def test_parameter_counts(factory: Factory, expected: int) -> None:
    assert parameters(on_meta(factory)) == expected


@pytest.mark.parametrize(("factory", "expected"), NEURONS)
def test_neuron_counts(factory: Factory, expected: int) -> None:
    assert sum(neuron_sizes(on_meta(factory)).values()) == expected


def test_neurons_per_layer_of_lif_snn_3() -> None:
    sizes = neuron_sizes(on_meta(lambda: lif_snn.lif_snn_3(2, 11)))
    assert list(sizes.values()) == [65_536, 32_768, 8_192, 256, 11]


SMALL: list[tuple[Factory, str, int]] = [
    (gac.gac_digits, "real", 4),
    (gac.direct_digits, "real", 4),
    (gac.ms_digits, "real", 4),
    (lambda: lif_snn.lif_snn_3_small(8), "integer", 8),
    (lambda: lif_snn.lif_snn_3_small(10, size=34), "integer", 10),
]


@pytest.mark.parametrize(("factory", "signal", "timesteps"), SMALL)
def test_small_networks_run(factory: Factory, signal: str, timesteps: int) -> None:
    torch.manual_seed(0)
    module = factory().eval()
    file = lif_snn if signal == "integer" else gac
    sample = file.example(module)  # type: ignore[arg-type]
    before = sample.clone()
    with torch.no_grad():
        output = module(sample)
        twice = module(torch.cat([sample, sample]))
    assert (module.input_signal, module.timesteps) == (signal, timesteps)
    assert sample.shape == (1, *module.input_shape)  # type: ignore[misc]
    assert output.shape == (1, 10)
    assert torch.equal(sample, before)
    torch.testing.assert_close(twice, output.repeat(2, 1))
    assert torch.equal(file.example(module), before)  # type: ignore[arg-type]


def test_event_example_holds_counts_and_output_is_a_rate() -> None:
    torch.manual_seed(0)
    module = lif_snn.lif_snn_3_small(8).eval()
    sample = lif_snn.example(module)
    assert torch.equal(sample, sample.round())
    assert sample.min() == 0
    assert sample.max() > 1
    steps = module(sample) * 8
    assert torch.equal(steps, steps.round())


@pytest.mark.parametrize("factory", [gac.gac_digits, gac.direct_digits, gac.ms_digits])
def test_untrained_networks_spike_in_every_layer(factory: Factory) -> None:
    torch.manual_seed(0)
    module = factory().eval()
    rates: list[float] = []
    for layer in module.modules():
        if isinstance(layer, LIF):
            layer.register_forward_hook(lambda _, __, spikes: rates.append(spikes.mean().item()))
    module(gac.example(module))  # type: ignore[arg-type]
    assert all(0.005 < rate < 0.7 for rate in rates)


def same(image: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """A 4 x 4 convolution of the same size: one row or column of zeros before, two after."""
    return torch.nn.functional.conv2d(torch.nn.functional.pad(image, (1, 2, 1, 2)), weight)


def test_gac_is_the_papers_formula() -> None:
    torch.manual_seed(0)
    steps, channels = 6, 5
    encoder = paper_gac(conv_norm(2, channels, 3, 1), channels, steps, preset("gac")).eval()
    image = torch.rand(3, 2, 9, 9)
    with torch.no_grad():
        result = encoder(image)
        a = encoder.stem(image)
        first, _, second = encoder.temporal.mlp
        pooled = [a.mean(dim=(1, 2, 3)), a.amax(dim=(1, 2, 3))]
        score = sum(
            torch.relu(value[:, None].expand(3, steps) @ first.weight.T) @ second.weight.T
            for value in pooled
        )
        conv1, conv2 = (x for x in encoder.spatial.layers if isinstance(x, torch.nn.Conv2d))
        gate = same(torch.relu(same(a, conv1.weight)), conv2.weight)
        spikes = encoder.spike(a.expand(steps, *a.shape))
        for step in range(steps):
            expected = torch.sigmoid(score[:, step, None, None, None] * gate) * spikes[step]
            torch.testing.assert_close(result[step], expected)


def test_spatial_channel_attention_with_one_convolution() -> None:
    one = SpatialChannelAttention(64, 4, convolutions=1)
    two = SpatialChannelAttention(64, 4, convolutions=2)
    assert [sum(p.numel() for p in m.parameters()) for m in (one, two)] == [65_536, 131_072]


def test_temporal_attention_needs_steps() -> None:
    counts = [
        sum(p.numel() for p in TemporalAttention(steps, 2).parameters()) for steps in (2, 4, 6)
    ]
    assert counts == [4, 16, 36]
    with pytest.raises(ValueError, match="no hidden unit; use timesteps >= 2"):
        TemporalAttention(1, 2)


def test_unknown_encoder_is_refused() -> None:
    with pytest.raises(ValueError, match="encoder is 'delta'; use 'direct', 'ms', 'gac', 'rate'"):
        ms_resnet.ms_resnet18_cifar(4, 10, encoder="delta")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="gate is 'both'; use 'gau', 'ta' or 'sca'"):
        gac.gac_digits(4, gate="both")  # type: ignore[arg-type]


@pytest.mark.parametrize(("gate", "expected"), [("ta", 16), ("sca", 8_192), ("gau", 8_208)])
def test_gac_gates(gate: str, expected: int) -> None:
    torch.manual_seed(0)
    module = gac.gac_digits(4, gate=gate).eval()  # type: ignore[arg-type]
    assert sum(value.numel() for value in module.parameters()) == 78_010 + expected
    image = torch.rand(2, 1, 28, 28)
    with torch.no_grad():
        encoder = module.encoder
        a = encoder.stem(image).expand(4, 2, 16, 14, 14)
        score = torch.ones(())
        if gate != "sca":
            score = score * encoder.temporal(a)
        if gate != "ta":
            score = score * encoder.spatial(a)
        torch.testing.assert_close(encoder(image), torch.sigmoid(score) * encoder.spike(a))
