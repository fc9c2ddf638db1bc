"""The papers' golden numbers by formula, and the same counted on traced networks.

Row ids are those of docs/reproduction.md, whose rows tests/papers holds to golden numbers.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from traced import graph_of, network_of

from snndeploy.costs import (
    Convention,
    Saving,
    delta_ac,
    from_table,
    layer_energies,
    nasar,
    paper_energy,
    rate_ratio,
    saving,
    uniform,
)
from snndeploy.costs import attention as formulas
from snndeploy.costs.comparison import Comparison, price

pytestmark = pytest.mark.torch
ROOT = Path(__file__).resolve().parents[2]

LIF_3 = [(64, 32, 32), (128, 16, 16), (128, 8, 8)]
LIF_5 = [(128, size, size) for size in (128, 64, 32, 16, 8)]


# Attention: (formula, parameters, Delta_MAC1, Delta_MAC2) on LIF-SNN-3 with T = 60.
COUNTS = {
    "A1 CBAM r=16": (formulas.channel(LIF_3, 60, reduction=16), 4_608, 276_480, 6_389_760),
    "A2 TA r=16": (formulas.temporal(LIF_3, 60, reduction=16), 1_080, 1_080, 6_389_760),
    "A2 TA r=4": (formulas.temporal(LIF_3, 60, reduction=4), 5_400, 5_400, 6_389_760),
    "A3, A7 SA": (formulas.spatial(LIF_3, 60, kernel=7), 294, 7_902_720, 6_389_760),
    "A3 SA of the code": (formulas.spatial(LIF_3, 60, kernel=3), 54, 1_451_520, 6_389_760),
    "A4 TCSA r=4": (
        formulas.temporal(LIF_3, 60, reduction=4)
        + formulas.channel(LIF_3, 60, reduction=4)
        + formulas.spatial(LIF_3, 60, kernel=7),
        24_126, 5_400 + 60 * 18_432 + 7_902_720, 3 * 6_389_760,
    ),
    "A4 TCSA r=16": (
        formulas.temporal(LIF_3, 60, reduction=16)
        + formulas.channel(LIF_3, 60, reduction=16)
        + formulas.spatial(LIF_3, 60, kernel=7),
        5_982, 1_080 + 276_480 + 7_902_720, 3 * 6_389_760,
    ),
    "A5, A9 ASA-1 r=2": (formulas.asa_1(LIF_3, 60, reduction=2), 10_914, 59_184, 6_389_760),
    "A5 ASA-1 r=4": (formulas.asa_1(LIF_3, 60, reduction=4), 5_514, 53_784, 6_389_760),
    "ASA-2": (formulas.asa_2(LIF_3, 60), 114, 48_384, 6_389_760),
    "A6 ECA": (formulas.eca(LIF_3, 60, kernel=4, square=True), 48, 76_800, 6_389_760),
    "A6 ECA, one line": (formulas.eca(LIF_3, 60, kernel=4, square=False), 12, 76_800, 6_389_760),
    "SimAM": (formulas.simam(LIF_3, 60), 0, 3 * 6_389_760 + 3, 6_389_760),
}  # fmt: skip


@pytest.mark.parametrize("name", COUNTS)
def test_a1_to_a9_by_formula(name):
    count, *golden = COUNTS[name]
    assert [count.parameters, count.mac1, count.mac2] == golden


def test_a7_a8_a9_totals():
    assert formulas.refinement(LIF_3, 60) == 6_389_760
    assert formulas.spatial(LIF_3, 60, kernel=7).macs == 14_292_480
    assert formulas.asa_1(LIF_3, 60, reduction=2).macs == 6_448_944
    assert formulas.simam(LIF_3, 60).macs == 4 * 60 * 106_496 + 3


NETWORKS = {
    "A1 CBAM r=16": "lif-snn-3-ca",
    "A2 TA r=16": "lif-snn-3-ta",
    "A3, A7 SA": "lif-snn-3-sa",
    "A4 TCSA r=4": "lif-snn-3-tcsa-printed",
    "A5, A9 ASA-1 r=2": "lif-snn-3-asa-1",
    "ASA-2": "lif-snn-3-asa-2",
    "A6 ECA, one line": "lif-snn-3-eca",
    "SimAM": "lif-snn-3-simam",
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a1_to_a9_counted_on_the_network(name):
    """The traced network's own nodes give what the formula gives."""
    _, parameters, mac1, mac2 = COUNTS[name]
    network = network_of(NETWORKS[name])
    assert sum(cost.mac1 for cost in network.attention) == mac1
    assert sum(cost.mac2 for cost in network.attention) == mac2
    assert network.parameters - 2_323_531 == parameters
    assert [layer.flops for layer in network.layers] == [
        1_179_648, 75_497_472, 37_748_736, 2_097_152, 2_816,
    ]  # fmt: skip


def test_a10_parameters_of_attention_on_the_5_layer_network():
    assert formulas.temporal(LIF_5, 20, reduction=16).parameters == 200
    assert formulas.channel(LIF_5, 20, reduction=16).parameters == 10_240
    assert formulas.spatial(LIF_5, 20, kernel=7).parameters == 490


def test_tcsa_on_the_5_layer_network_costs_more_than_it_can_save():
    """Why MA Table 1's 1.8 and 1.7 cannot be had with 2,793,472 neurons."""
    parts = [
        formulas.temporal(LIF_5, 20, reduction=16),
        formulas.channel(LIF_5, 20, reduction=16),
        formulas.spatial(LIF_5, 20, kernel=7),
    ]
    assert sum(part.macs for part in parts) == 210_588_360
    pooled = [(c, h // 2, w // 2) for c, h, w in LIF_5]
    small = sum(
        part.macs
        for part in (
            formulas.temporal(pooled, 20, reduction=16),
            formulas.channel(pooled, 20, reduction=16),
            formulas.spatial(pooled, 20, kernel=7),
        )
    )
    assert small == 52_800_840


def test_p3_neurons_behind_convolutions():
    network = network_of("lif-snn-5")
    assert network.convolution_neurons == 2_793_472
    assert network.neuron_count == 2_793_472 + 512 + 110


@pytest.mark.parametrize(
    "spec, conv_only, rate, spikes",
    [
        ("lif-snn-3", False, 0.173, 1.1082e6),
        ("lif-snn-5", True, 0.074, 4.13434e6),
        ("vgg_snn.py:vgg_snn_7(timesteps=1, classes=10)", False, 0.110, 25_344),
        ("vgg_snn.py:vgg_snn_13(timesteps=1, classes=100)", False, 0.098, 141_396),
    ],
)
def test_spike_counts_follow_from_the_networks_neurons(spec, conv_only, rate, spikes):
    network = network_of(spec if ".py" not in spec else f"{ROOT}/models/{spec}")
    neurons = network.convolution_neurons if conv_only else network.neuron_count
    assert neurons * network.timesteps * rate == pytest.approx(spikes, rel=1e-5)
    costed = price(network, uniform(network.neurons, rate, 1.0), Convention())
    assert costed.nasar == pytest.approx(rate)
    assert costed.spikes == pytest.approx(network.neuron_count * network.timesteps * rate)


# VGG-SNN-13, CIFAR-100, T = 1: rates of MA-S Table S9.
VGG_13 = f"{ROOT}/models/vgg_snn.py:vgg_snn_13(timesteps=1, classes=100)"
VGG_RATES = (0.176, 0.169, 0.140, 0.134, 0.120, 0.064, 0.078, 0.080, 0.064, 0.039, 0.157)


def vgg_13_rates(network):
    return dict(zip([layer.name for layer in network.neurons], VGG_RATES, strict=True))


def test_s6_spikes_of_the_layers_of_vgg_13():
    network = network_of(VGG_13)
    rates = vgg_13_rates(network)
    spikes = [layer.neurons * rates[layer.name] * 100 / 1e6 for layer in network.neurons]
    assert [round(spikes[i], 3) for i in (0, 2, 4, 10)] == [1.153, 1.835, 3.146, 0.016]
    for index, printed in ((0, 1.153), (2, 1.837), (4, 3.158)):
        assert spikes[index] == pytest.approx(printed, rel=6e-3)
    neurons = {layer.name: layer.neurons for layer in network.neurons}
    assert round(nasar(neurons, rates), 3) == 0.098  # S5: the rates fit the printed NASAR


def test_e1_vgg_13_with_the_rate_of_every_layer():
    network = network_of(VGG_13)
    rates = vgg_13_rates(network)
    lines = layer_energies(network.layers, 1, rates, Convention())
    assert [round(line.energy_mj, 6) for line in lines] == [
        0.008140, 0.005979, 0.011483, 0.019025, 0.036420, 0.065230, 0.017395, 0.042399, 0.043487,
        0.034789, 0.001178, 0.000014,
    ]  # fmt: skip
    energy = paper_energy(network.layers, 1, rates, Convention())
    assert energy.total_mj == pytest.approx(0.285540, abs=1e-6)  # ours .2855393
    own = paper_energy(network.layers, 1, rates, Convention(rate="own"))
    assert own.total_mj == pytest.approx(0.234, abs=5e-4)
    mean = nasar({layer.name: layer.neurons for layer in network.neurons}, rates)
    one = uniform(network.neurons, mean, 1.0).rates
    assert paper_energy(network.layers, 1, one, Convention()).total_mj == pytest.approx(
        0.300, abs=5e-4
    )


BASE = {"spike1": 0.20, "spike2": 0.15, "spike3": 0.10, "spike4": 0.05}
SPATIAL = {"spike1": 0.08, "spike2": 0.05, "spike3": 0.04, "spike4": 0.02}


def lif_3(rates, output):
    network = network_of("lif-snn-3")
    table = {**rates, "spike5": output, "input": 0.10}
    return network, from_table(network.neurons, table, "rates")


def test_e3_line_by_line():
    network, activity = lif_3(BASE, 0.02)
    costed = price(network, activity, Convention())
    golden = [0.032558, 0.815373, 0.305765, 0.011325, 0.0000076]
    assert [line.energy_mj for line in costed.lines] == pytest.approx(golden, abs=5e-7)
    assert costed.energy.total_mj == pytest.approx(1.165028, abs=5e-7)


def test_e4_spatial_attention_saves_energy():
    network, base = lif_3(BASE, 0.02)
    _, attended = lif_3(SPATIAL, 0.01)
    arguments = (network.layers, 60, base.rates, attended.rates, Convention())
    assert delta_ac(*arguments) == pytest.approx(777_629_030.4, abs=0.1)
    found = saving(1.165028, 14_292_480, delta_ac(*arguments))
    check_e4(found)
    # The same from two traced networks, SA on the membrane beside LIF-SNN-3.
    vanilla = price(network, base, Convention())
    with_attention = price(network_of("lif-snn-3-sa"), attended, Convention())
    compared = Comparison(vanilla, with_attention).saving
    assert compared.delta_mac == pytest.approx(14_292_480)
    assert compared.delta_ac == pytest.approx(777_629_030.4, abs=0.1)
    check_e4(compared)


def check_e4(found: Saving):
    assert found.delta_mj == pytest.approx(-0.634121, abs=5e-7)
    assert found.r_ee == pytest.approx(2.19441, abs=5e-6)
    assert found.r_rec == pytest.approx(-0.544297, abs=5e-7)
    assert found.r_ee == pytest.approx(1 / (1 + found.r_rec))


def test_e5_nasar_weighs_layers_by_their_neurons():
    for rates, output, golden in ((BASE, 0.02, 0.1766026), (SPATIAL, 0.01, 0.0675720)):
        network, activity = lif_3(rates, output)
        assert price(network, activity, Convention()).nasar == pytest.approx(golden, abs=5e-8)


@pytest.mark.parametrize(
    "attention, attended_rate, without_stem, with_stem",
    [("C", 0.165, 1.337, 1.11), ("CS", 0.148, 1.465, 1.14)],
)
def test_r1_with_and_without_the_encoder(attention, attended_rate, without_stem, with_stem):
    """MA Table 3, ResNet-18, with attention by formula: r_EE with the encoder left out, and in it.

    The rates are inferred (models/rates/printed.toml): .224, and .165 (CA) and .148 (CSA).
    """
    network = network_of("ms-resnet18")
    points = [(64 << i, 56 >> i, 56 >> i) for i in range(4) for _ in range(2)]
    mac1 = formulas.channel(points, 1, reduction=16).mac1
    if attention == "CS":
        mac1 += formulas.spatial(points, 1, kernel=7).mac1
    delta_mac = mac1 + formulas.refinement(points, 1)
    for encoder, golden, tolerance in (
        ("excluded", without_stem, 6e-4), ("included", with_stem, 5e-3),
    ):  # fmt: skip
        read = Convention(shortcuts="ac", encoder=encoder)
        base, attended = (uniform(network.neurons, r, 1.0).rates for r in (0.224, attended_rate))
        energy = paper_energy(network.layers, 1, base, read).total_mj
        saved = delta_ac(network.layers, 1, base, attended, read)
        assert saving(energy, delta_mac, saved).r_ee == pytest.approx(golden, abs=tolerance)


def test_r3_tcsa_at_a_uniform_rate():
    """MA Table 6, TCSA on Gesture: r_EE 3.45 (printed 3.4) with phi_0 = .107, which is fitted."""
    networks = [network_of(spec) for spec in ("lif-snn-3", "lif-snn-3-tcsa")]
    costed = [
        price(network, uniform(network.neurons, rate, 0.107), Convention())
        for network, rate in zip(networks, (0.173, 0.026), strict=True)
    ]
    assert round(Comparison(*costed).saving.r_ee, 2) == 3.45


def test_r4_even_the_stem_accumulates():
    assert round(rate_ratio(6, 0.225), 3) == 3.786
    network = network_of("ms-resnet34")
    costed = price(network, uniform(network.neurons, 0.225, 1.0), Convention(shortcuts="ac"))
    assert costed.ann_ratio < 0.98 * 3.786  # with the stem as MAC it is another number


@pytest.mark.parametrize(
    "spec, golden",
    [
        ("lif-snn-3", {"conv1.0": 1_131_008, "conv2.0": 72_384_512, "conv3.0": 34_668_544}),
        ("ms-resnet18", {"encoder.stem.0": 116_214_528}),
    ],
)
def test_exact_events_leave_the_padding_out(spec, golden):
    """Section 3: events when every input is one, against the formula that counts the padding."""
    events = {layer.name: layer.events for layer in network_of(spec).layers}
    assert {name: events[name] for name in golden} == golden
    assert graph_of(spec).timesteps == network_of(spec).timesteps
