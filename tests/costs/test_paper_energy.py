"""The papers' energy formulas against their golden numbers, on graphs traced from the full nets."""

from __future__ import annotations

import pytest
from traced import graph_of

from snndeploy.costs import (
    GAC_EQUATION_11,
    S1,
    Convention,
    LayerCost,
    ann_energy_mj,
    layer_costs,
    paper_energy,
)

pytestmark = pytest.mark.torch


def layers_of(name):
    return layer_costs(graph_of(name))


def uniform(layers, rate):
    return {name: rate for layer in layers for name in (*layer.driving, *layer.own)}


def flops(layers, wanted):
    return sum(layer.flops for layer in layers if wanted(layer))


def is_shortcut(layer):
    return ".shortcut." in layer.name


def is_block(layer):
    return layer.name.startswith("body") and not is_shortcut(layer)


@pytest.mark.parametrize(
    "name, stem, blocks, shortcuts, classifier",
    [
        ("ms-resnet18", 118_013_952, 1_676_279_808, 32_112_640, 512_000),
        ("ms-resnet34", 118_013_952, 3_525_967_872, 32_112_640, 512_000),
        ("ms-resnet18-cifar10", 1_769_472, 2_189_426_688, 25_165_824, 5_120),
    ],
)
def test_layers_of_ms_resnets_cost_what_the_papers_print(name, stem, blocks, shortcuts, classifier):
    layers = layers_of(name)
    assert [layer.flops for layer in layers if layer.first] == [stem]
    assert flops(layers, is_block) == blocks
    assert flops(layers, is_shortcut) == shortcuts
    assert [layer.flops for layer in layers if layer.role == "readout"] == [classifier]


@pytest.mark.parametrize(
    "timesteps, equation_11, s1, with_mac", [(6, 2.388481, 5.102802, 3.240108),
                                             (4, 1.773275, 3.401868, 2.341027)],
)  # fmt: skip
def test_e6_ms_resnet_18_at_a_uniform_rate(timesteps, equation_11, s1, with_mac):
    layers = layers_of("ms-resnet18")
    rates = uniform(layers, 0.2)
    mac = Convention(first_layer="once", shortcuts="mac")
    for convention, golden in ((GAC_EQUATION_11, equation_11), (S1, s1), (mac, with_mac)):
        energy = paper_energy(layers, timesteps, rates, convention)
        assert energy.total_mj == pytest.approx(golden, abs=5e-7), str(convention)


def test_e2_the_ann_counterpart():
    assert ann_energy_mj(layers_of("ms-resnet34")) == pytest.approx(16.912, abs=5e-4)


@pytest.mark.parametrize("first_layer, golden", [("every_step", 1.165028), ("once", 1.133012)])
def test_e3_lif_snn_3_with_event_frames(first_layer, golden):
    layers = layers_of("lif-snn-3")
    rates = {"neuron": 0.2, "neuron_1": 0.15, "neuron_2": 0.1, "neuron_3": 0.05}
    convention = Convention(first_layer=first_layer)
    flops = [layer.flops for layer in layers]
    assert flops == [1_179_648, 75_497_472, 37_748_736, 2_097_152, 2_816]
    energy = paper_energy(layers, 60, rates, convention, input_rate=0.1)
    assert energy.total_mj == pytest.approx(golden, abs=5e-7)
    with pytest.raises(KeyError):
        paper_energy(layers, 60, {}, convention)


def test_x1_the_attention_of_gac_is_a_line_of_its_own():
    layers = layers_of("gac-ms-resnet18-cifar10")
    attention = [layer for layer in layers if layer.role == "encoder_attention"]
    convolutions = [layer for layer in attention if ".spatial." in layer.name]
    assert [layer.flops for layer in convolutions] == [67_108_864, 67_108_864]
    assert {layer.repeats for layer in attention} == {1}
    energy = paper_energy(layers, 6, uniform(layers, 0.1), Convention())
    without = paper_energy(
        layers, 6, uniform(layers, 0.1), Convention(encoder_attention="excluded")
    )
    assert energy.encoder_attention_mj == pytest.approx(0.617402, abs=1e-6)
    assert energy.mac_mj - without.mac_mj == pytest.approx(energy.encoder_attention_mj)
    excluded = paper_energy(layers, 6, uniform(layers, 0.1), Convention(encoder="excluded"))
    assert excluded.encoder_attention_mj == 0.0
    stem = 4.6e-9 * 6 * 1_769_472
    assert without.mac_mj - excluded.mac_mj == pytest.approx(stem)


def test_rates_of_the_driving_or_the_own_layer():
    layers = [layer for layer in layers_of("lif-snn-3") if not layer.first][:1]
    rates = {"neuron": 0.5, "neuron_1": 0.25}
    driving = paper_energy(layers, 1, rates, Convention(rate="driving")).ac_mj
    own = paper_energy(layers, 1, rates, Convention(rate="own")).ac_mj
    assert driving == pytest.approx(0.9e-9 * 75_497_472 * 0.5)
    assert own == pytest.approx(0.9e-9 * 75_497_472 * 0.25)
    fallback = paper_energy(layers, 1, {"neuron_1": 0.25}, Convention(rate="driving")).ac_mj
    assert fallback == pytest.approx(own)


def test_a_sum_of_spikes_accumulates_as_often_as_it_holds_spikes():
    """SEW's ADD: a value of 2 is two accumulations; a membrane shortcut as AC takes the mean."""
    rates = {"branch": 0.3, "shortcut": 0.2}
    for role, rate in (("layer", 0.5), ("readout", 0.5), ("shortcut", 0.25)):
        layer = LayerCost("conv", 1000, role, 4, ("branch", "shortcut"), ("next",))
        found = paper_energy([layer], 4, rates, S1)
        assert found.ac_mj == pytest.approx(0.9 * 1000 * 4 * rate * 1e-9, rel=1e-12)


def test_a_convention_says_what_it_assumes():
    assert str(Convention()) == (
        "first layer every step, driving rates, operations by formula, membrane shortcuts as MAC,"
        " encoder included, encoder attention included, attention as the papers count it,"
        " 4.6 pJ a MAC and 0.9 pJ an AC"
    )
