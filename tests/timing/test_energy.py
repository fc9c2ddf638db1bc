"""Chip energy on the worked cases, and what a total says about itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hand_made import ten_to_ten, traffic_of

from snndeploy.target import Quantity, Target
from snndeploy.timing.analytic import analytic_timing
from snndeploy.timing.energy import chip_energy

LOIHI1, LOIHI2 = Target.load("loihi1"), Target.load("loihi2")
# pJ: ten spikes and messages, their hundred synapses, and the ten target neurons' updates.
EVENTS = 10 * (142.1 + 111) + 100 * 35.5 + 10 * (51.2 + 21.6)


def energy_of(router=(0, 0), target=LOIHI1, board=(1, 1)):
    network, layout = ten_to_ten(router, board)
    traffic = traffic_of(network, layout)
    timing = analytic_timing(traffic, layout, target, network.timesteps)
    return chip_energy(traffic, timing, layout, target), timing


def without(target, *keys):
    kept = {name: value for name, value in target.quantities.items() if name not in keys}
    return replace(target, quantities=kept)


@pytest.mark.parametrize(
    ("router", "hops_pj"),
    [((0, 0), 0), ((0, 1), 42), ((1, 0), 30), ((2, 3), 60 + 126)],
)
def test_worked_cases(router, hops_pj):
    energy, timing = energy_of(router)
    breakdown = energy.breakdown
    static = breakdown.pop("static power")
    assert sum(breakdown.values()) * 1e12 == pytest.approx(EVENTS + hops_pj, rel=1e-12)
    assert static == pytest.approx(0.104 * timing.latency_seconds[0], rel=1e-12)
    assert energy.total[0] == pytest.approx(static + sum(breakdown.values()), rel=1e-12)


def test_every_line_keeps_its_mark_and_source():
    energy, _ = energy_of((1, 0))
    marks = {line.name: line.mark for line in energy.lines}
    assert marks["hop east-west"] == "published"
    assert marks["message out"] == "fitted"
    assert marks["static power"] == "assumed"
    assert all(line.source for line in energy.lines)


def test_the_total_says_what_it_is_made_of():
    energy, _ = energy_of((1, 0))
    assert energy.statement == "under 1% published, 2% fitted, 98% assumed (static power)"
    assert sum(energy.shares.values()) == pytest.approx(1)


def test_inherited_costs_are_named():
    energy, _ = energy_of(target=LOIHI2)
    inherited = next(part for part in energy.statement.split(", ") if "inherited" in part)
    assert inherited.endswith("inherited (neuron access")
    assert set(energy.shares) == {"measured", "inherited"}


def test_what_has_no_cost_is_absent_and_said():
    silent = without(LOIHI1, "energy.static_power_per_chip_w", "energy.inter_chip_hop_pj")
    energy, _ = energy_of((9, 0), silent, board=(2, 1))
    assert "static power" not in energy.breakdown
    assert "hop between chips" not in energy.breakdown
    assert energy.absent == (
        "hop between chips, for which loihi1 states no cost",
        "static power, which loihi1 does not state",
    )
    assert energy.statement.endswith(
        "; not counted: hop between chips, for which loihi1 states no cost"
        "; not counted: static power, which loihi1 does not state"
    )


def test_hops_between_chips_have_their_own_cost():
    energy, _ = energy_of((9, 0), board=(2, 1))
    assert energy.breakdown["hop between chips"] * 1e12 == pytest.approx(10 * 108)
    assert energy.breakdown["hop east-west"] * 1e12 == pytest.approx(10 * 8 * 3.0)


def test_the_scope_of_a_synaptic_operation_is_said():
    assert energy_of()[0].scope == "incremental"
    quantity = Quantity("all-in", "", "assumed", "a test")
    scope = {"energy.synaptic_operation_scope": quantity}
    every = replace(LOIHI1, quantities={**LOIHI1.quantities, **scope})
    energy, _ = energy_of(target=every)
    assert energy.scope == "all-in"
    charged = {name for name, joules in energy.breakdown.items() if joules}
    assert charged == {"synaptic operation"} and not energy.absent
