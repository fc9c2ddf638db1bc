"""Networks side by side: the sums agree with each other, and what is unknown is absent."""

from __future__ import annotations

import json

import pytest
from traced import network_of

from snndeploy.costs import Convention, from_table, uniform
from snndeploy.costs.comparison import Comparison, price
from snndeploy.errors import DataError, DeployError
from snndeploy.report.costs import comparison_text

pytestmark = pytest.mark.torch
TABLE = {"spike1": 0.2, "spike2": 0.15, "spike3": 0.1, "spike4": 0.05, "spike5": 0.02,
         "input": 0.1}  # fmt: skip


def costed(spec, convention=None, rate=None):
    network = network_of(spec)
    activity = (
        from_table(network.neurons, TABLE, "rates")
        if rate is None
        else uniform(network.neurons, rate, 0.1)
    )
    return price(network, activity, convention or Convention())


@pytest.mark.parametrize("read", [Convention(), Convention(operations="exact", attention="exact"),
                                  Convention(mac_pj=2.0, ac_pj=0.25)])  # fmt: skip
def test_delta_e_is_what_delta_mac_and_delta_ac_cost(read):
    compared = Comparison(
        costed("lif-snn-3-small", read), costed("lif-snn-3-small-tcsa", read, rate=0.1)
    )
    saved = compared.saving
    assert saved.delta_mac == pytest.approx(compared.b.delta_mac1 + compared.b.delta_mac2)
    expected = (read.mac_pj * saved.delta_mac - read.ac_pj * saved.delta_ac) * 1e-9
    assert saved.delta_mj == pytest.approx(expected)
    assert saved.attention_mj == pytest.approx(compared.b.energy.total_mj)
    assert saved.r_ee == pytest.approx(1 / (1 + saved.r_rec))


def test_lines_and_attention_are_the_total():
    found = costed("lif-snn-3-small-tcsa")
    attention = 4.6e-9 * (found.delta_mac1 + found.delta_mac2)
    lines = sum(line.energy_mj for line in found.lines)
    assert lines + attention == pytest.approx(found.energy.total_mj)
    assert found.energy.mac_mj == pytest.approx(4.6e-9 * found.macs)
    assert found.energy.ac_mj == pytest.approx(0.9e-9 * found.acs)


def test_attention_in_front_of_a_convolution_is_priced_as_mac():
    lines = {line.name: line for line in costed("lif-snn-3-csa-conv-pre").lines}
    assert [lines[f"conv{i}.0"].work for i in (1, 2, 3)] == ["mac"] * 3
    assert lines["conv2.0"].operations == pytest.approx(60 * 75_497_472 * 0.2)


def test_without_rates_it_is_an_upper_bound_and_says_so():
    network = network_of("lif-snn-3-small")
    bound = price(network, None, Convention())
    assert bound.energy.total_mj > costed("lif-snn-3-small", rate=0.9).energy.total_mj
    said = bound.as_json()
    assert said["activity"] == {
        "source": "every neuron at every step: an upper bound", "upper_bound": True,
    }  # fmt: skip
    assert "nasar" not in said["totals"] and "spikes" not in said["totals"]


def test_events_need_their_share_of_the_input():
    network = network_of("lif-snn-3-small")
    with pytest.raises(DataError) as refused:
        price(network, uniform(network.neurons, 0.1, None), Convention())
    assert str(refused.value) == (
        "lif-snn-3-small reads events, and nobody said how many: give --input-rate, the share of"
        " its first layer's input that is not zero (the papers' phi_0)"
    )


def test_once_is_refused_for_an_input_that_changes():
    with pytest.raises(DeployError) as refused:
        costed("lif-snn-3-small", Convention(first_layer="once"))
    assert str(refused.value) == (
        "lif-snn-3-small: the convention computes the first layer once, but the input of conv1.0"
        " changes with the time step; use first-layer=every_step"
    )


def test_an_ann_multiplies_everything_once():
    ann = price(network_of("ann-lif-3"), None, Convention())
    assert ann.macs == 1_179_648 + 75_497_472 + 37_748_736 + 2_097_152 + 2_816
    assert (ann.acs, ann.nasar, ann.ann_mj, ann.ann_ratio) == (0, None, None, None)
    spiking = costed("lif-snn-3")
    assert ann.energy.total_mj == pytest.approx(spiking.ann_mj)
    assert spiking.ann_ratio == pytest.approx(spiking.ann_mj / spiking.energy.total_mj)
    assert ann.as_json()["activity"]["upper_bound"] is False


def test_json_holds_every_argument_of_the_convention():
    found = Comparison(costed("lif-snn-3-small"), costed("lif-snn-3-small-tcsa")).as_json()
    read = json.loads(json.dumps(found))
    assert read["schema"] == "snndeploy.comparison/1"
    assert sorted(read["a"]["convention"]) == sorted([
        "ac_pj", "attention", "constant_attention", "encoder", "encoder_attention",
        "first_layer", "mac_pj", "operations", "rate", "refinement", "shortcuts", "text",
    ])  # fmt: skip
    assert read["b"]["attention"][0]["location"] == "current"
    assert read["change"]["delta_mac"] == read["b"]["totals"]["mac"] - read["a"]["totals"]["mac"]


def test_ratios_of_nothing_are_absent():
    silent = costed("lif-snn-3-small", Convention(encoder="excluded"), rate=0.0)
    compared = Comparison(silent, silent)
    assert compared.saving.r_ee is None and compared.saving.r_rec is None
    assert "r_ee" not in compared.as_json()["change"]
    assert "r_EE = E_A / E_B" in comparison_text(compared)
