"""The mapping modes: legal, what they are said to be, deterministic, and exactly counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from brute_force import enumerate_traffic, owner_of
from hypothesis import given, settings
from hypothesis import strategies as st
from random_networks import Features, networks
from test_place import BRIEF, LOIHI1, LOIHI2, TIGHT, assert_legal, chain, dense, kernel

from snndeploy.errors import DeployError, FitError
from snndeploy.mapping import MODES, place
from snndeploy.mapping.anneal import annealed, stretched
from snndeploy.mapping.arrange import row_major, snake
from snndeploy.mapping.cost import Costs
from snndeploy.mapping.expect import expect
from snndeploy.target import Target
from snndeploy.timing.analytic import analytic_timing
from snndeploy.timing.energy import chip_energy
from snndeploy.traffic.counter import PER_CORE, PER_STEP, TrafficCounter

FEATURES = Features(recurrent=True, populations=3, timesteps=3)
HOPS = ("hops_east_west", "hops_north_south", "hops_inter_chip")


def placed(network, target, **options):
    """A layout, or None where so small a chip refuses."""
    try:
        return place(network, target, advise=False, **options)
    except FitError as refusal:
        assert target is TIGHT, refusal
        return None


def all_fire(network):
    """Every neuron that can spike does, in every step."""
    return {
        p.name: np.full(
            (1, network.timesteps, *p.shape), int(p.neuron.name != "integrator"), dtype=np.uint8
        )
        for p in network.populations
    }


def counted(network, layout, spikes, injected, target=None):
    counter = TrafficCounter(network, layout, 1, target)
    for index, values in injected.items():
        counter.observe_injection(index, values)
    for population in network.populations:
        counter(population, spikes[population.name])
    return counter.result()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("target", [LOIHI2, TIGHT], ids=["loihi2", "tight"])
@settings(max_examples=15)
@given(case=networks(FEATURES))
def test_traffic_of_every_mode_equals_the_enumeration(target, mode, case):
    network, random = case.network, np.random.default_rng(0)
    layout = placed(network, target, mode=mode)
    if layout is None:
        return
    assert_legal(network, layout, target)
    spikes = {
        p.name: (random.random((1, network.timesteps, *p.shape)) < 0.4).astype(np.uint8)
        for p in network.populations
    }
    injected = {index: values[:1] for index, values in case.injected.items()}
    traffic = counted(network, layout, spikes, injected)
    updated = {name: np.ones_like(values) for name, values in spikes.items()}
    expected = enumerate_traffic(network, layout, spikes, updated, injected)
    for name in (*PER_CORE, *PER_STEP, *HOPS):
        array = getattr(traffic, name)
        found = {tuple(at): int(array[tuple(at)]) for at in np.argwhere(array).tolist()}
        assert found == {at: n for at, n in expected[name].items() if n}, name


@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=25)
@given(case=networks(FEATURES))
def test_expectation_at_rate_one_is_the_traffic_of_all_firing(mode, case):
    """Messages, latency and energy equal those of the simulator's counters."""
    network = case.network
    layout = placed(network, LOIHI1, mode=mode, objective="cores")
    injected = {
        index: np.ones((1, network.timesteps, *network.by_name[injection.target].shape))
        for index, injection in enumerate(network.injections)
        if injection.mode == "graded"
    }
    traffic = counted(network, layout, all_fire(network), injected, LOIHI1)
    timing = analytic_timing(traffic, layout, LOIHI1, network.timesteps)
    energy = chip_energy(traffic, timing, layout, LOIHI1)
    found = expect(network, layout, LOIHI1, {p.name: 1.0 for p in network.populations})
    assert found.flow.sum() * network.timesteps == pytest.approx(traffic.messages_in.sum())
    hops = sum(int(getattr(traffic, name).sum()) for name in HOPS)
    assert found.hops * network.timesteps == pytest.approx(hops)
    assert found.latency_seconds == pytest.approx(timing.latency_seconds[0], rel=1e-12)
    assert found.energy_joules == pytest.approx(energy.total[0], rel=1e-12)


def test_naive_is_flat_strips():
    network = chain((6, 10, 10), (6, 10, 10), connections=[kernel(6, 6)])
    target = replace(LOIHI2, neurons_per_core=77)
    layout = place(network, target, mode="naive")
    owner = owner_of(layout, network.populations[1])
    flat = [owner[c, y, x] for c in range(6) for y in range(10) for x in range(10)]
    assert flat == [index // 77 for index in range(600)]
    assert layout.use["neurons"].tolist() == [77] * 7 + [61]


def test_channel_takes_whole_channels_first():
    network = chain((6, 10, 10), (6, 10, 10), connections=[kernel(6, 6)])
    layout = place(network, replace(LOIHI2, neurons_per_core=230), mode="channel")
    assert {(t.channels, t.rows, t.columns) for t in layout.tiles} == {
        ((0, 2), (0, 10), (0, 10)), ((2, 4), (0, 10), (0, 10)), ((4, 6), (0, 10), (0, 10)),
    }  # fmt: skip
    layout = place(network, replace(LOIHI2, neurons_per_core=50), mode="channel")
    assert {t.rows for t in layout.tiles} == {(0, 5), (5, 10)}
    assert {t.channels[1] - t.channels[0] for t in layout.tiles} == {1}


def test_space_beats_channels():
    """One message a spike and core: cutting by space sends far fewer than cutting by channels."""
    network = chain((32, 24, 24), (32, 24, 24), (32, 24, 24), connections=[kernel(32, 32)] * 2)
    messages = {}
    for mode in MODES:
        layout = place(network, LOIHI1, mode=mode, objective="cores")
        messages[mode] = expect(network, layout, LOIHI1, {}).messages
    assert messages["anneal"] == messages["tiles"] < messages["channel"] / 5
    assert messages["tiles"] < messages["naive"] / 5


def deep(layers=12):
    return chain(*[(32, 24, 24)] * layers, connections=[kernel(32, 32)] * (layers - 1))


def way(layout, expected):
    """Energy in pJ of the hops of a step."""
    x, y = stretched(layout, Costs.of(LOIHI1).distance)
    flow = expected.flow.tocoo()
    at = [np.append(axis, 0.0) for axis in (x, y)]  # the host, at router (0, 0)
    apart = sum(np.abs(axis[flow.row] - axis[flow.col]) for axis in at)
    return float(flow.data @ apart)


def test_annealing_shortens_the_way_and_is_deterministic():
    network = deep()
    layouts = {
        (mode, seed): place(network, LOIHI1, mode=mode, seed=seed, objective="cores")
        for mode in ("tiles", "anneal")
        for seed in (0, 1)
    }
    found = {key: expect(network, layout, LOIHI1, {}) for key, layout in layouts.items()}
    assert found["anneal", 0].energy_delay < found["tiles", 0].energy_delay
    shorter = annealed(layouts["tiles", 0], found["tiles", 0].flow, LOIHI1)
    assert way(shorter, found["tiles", 0]) < 0.65 * way(layouts["tiles", 0], found["tiles", 0])
    again = place(network, LOIHI1, seed=0, objective="cores")
    assert np.array_equal(again.positions, layouts["anneal", 0].positions)
    assert not np.array_equal(layouts["anneal", 1].positions, again.positions)
    assert_legal(network, again, LOIHI1)
    tiles = layouts["tiles", 0]
    assert again.mapped_routers == tiles.mapped_routers
    assert sorted(map(tuple, again.positions)) == sorted(map(tuple, tiles.positions))


def test_stretched_distance_is_the_cost_of_the_route():
    network = deep()
    layout = place(network, replace(LOIHI1, cores_per_chip=40), mode="tiles", objective="cores")
    assert layout.chips > 2
    traffic = counted(network, layout, all_fire(network), {})
    timing = analytic_timing(traffic, layout, LOIHI1, network.timesteps)
    energy = chip_energy(traffic, timing, layout, LOIHI1).breakdown
    hops = sum(energy[f"hop {way}"] for way in ("east-west", "north-south", "between chips"))
    found = expect(network, layout, LOIHI1, {p.name: 1.0 for p in network.populations})
    assert way(layout, found) * network.timesteps == pytest.approx(hops * 1e12)


def test_annealing_never_makes_it_worse():
    network = chain((4, 1, 1), (4, 1, 1), connections=[dense(4, (4, 1, 1))])
    layout = place(network, LOIHI1, mode="tiles", objective="cores")
    assert layout.cores == 1
    assert annealed(layout, expect(network, layout, LOIHI1, {}).flow, LOIHI1) is layout


@pytest.mark.parametrize(("target", "cores"), [(LOIHI1, 1000), (LOIHI2, 1000), (LOIHI1, 3)])
def test_both_arrangements_use_the_same_places(target, cores):
    (board, by_rows), (other, by_snake) = row_major(cores, target), snake(cores, target)
    assert board == other
    assert len(np.unique(by_rows, axis=0)) == cores
    hops = np.abs(np.diff(by_rows[:, :2], axis=0)).sum(axis=1)
    assert np.median(hops) <= 1
    assert (by_rows[:5, 1] == 0).all() and (by_snake[:5, 0] <= 1).all()


def test_spreading_makes_a_small_network_faster_on_the_same_chip():
    network = chain((16, 16, 16), (32, 16, 16), (32, 16, 16), connections=[
        kernel(32, 16), kernel(32, 32)])  # fmt: skip
    found = {
        objective: place(network, BRIEF, objective=objective)
        for objective in ("cores", "balanced", "latency", "energy")
    }
    expected = {name: expect(network, layout, BRIEF, {}) for name, layout in found.items()}
    assert found["cores"].cores == 2
    assert found["balanced"].chips == 1 and found["balanced"].cores > 10
    assert expected["balanced"].latency_seconds < 0.3 * expected["cores"].latency_seconds
    assert expected["balanced"].energy_joules < expected["cores"].energy_joules
    assert expected["balanced"].messages > expected["cores"].messages
    assert expected["latency"].latency_seconds <= 1.2 * expected["balanced"].latency_seconds
    assert found["balanced"].binding.startswith(found["cores"].binding)
    assert "spread over" in found["balanced"].binding


def test_a_target_without_times_is_not_spread():
    network = chain((16, 16, 16), (32, 16, 16), connections=[kernel(32, 16)])
    silent = replace(
        BRIEF,
        quantities={k: v for k, v in BRIEF.quantities.items() if not k.startswith("timing.")},
    )
    assert place(network, silent).cores == place(network, silent, objective="cores").cores == 1


def test_unknown_options_are_refused():
    network = chain((4, 1, 1), (4, 1, 1), connections=[dense(4, (4, 1, 1))])
    with pytest.raises(DeployError, match="no mapping 'tile', did you mean 'tiles'"):
        place(network, LOIHI1, mode="tile")
    with pytest.raises(DeployError, match="no objective 'speed'; there are balanced, cores"):
        place(network, LOIHI1, objective="speed")


@given(case=networks(FEATURES), seed=st.integers(0, 3))
@settings(max_examples=10)
def test_spread_layouts_are_legal(case, seed):
    for objective in ("balanced", "latency", "energy"):
        layout = placed(case.network, TIGHT, objective=objective, seed=seed)
        if layout is not None:
            assert_legal(case.network, layout, TIGHT)


def test_limits_of_a_neuron_name_both_numbers():
    network = chain((64, 8, 8), (64, 8, 8), connections=[kernel(64, 64)])
    with pytest.raises(FitError, match=r"model\.last has 576 inputs a neuron; .* takes 256\."):
        place(network, replace(LOIHI1, fan_in_max=256))
    with pytest.raises(FitError, match=r"needs 3 bytes of state a neuron; .* has 2\."):
        place(network, replace(LOIHI1, neuron_state_bytes_max=2))


def test_limits_of_a_finished_layout():
    network = chain((8, 8, 8), (8, 8, 8), (8, 8, 8), connections=[kernel(8, 8)] * 2)
    small = replace(LOIHI1, neurons_per_core=128)
    with pytest.raises(FitError, match="sends to 4 cores; a loihi1 neuron reaches 3"):
        place(network, replace(small, destination_cores_max=3), objective="cores")
    with pytest.raises(FitError, match="one chip holds 4,608 synapses; a loihi1 chip has 4,000"):
        place(network, replace(small, synapses_per_chip_max=4000), objective="cores")


def test_the_smallest_changes_are_offered():
    """25 cores of convolutions for a chip of 20: a share of the channels would fit."""
    shapes = [(16, 32, 32), *[(64, 32, 32)] * 3, (10, 1, 1)]
    connections = [kernel(64, 16), kernel(64, 64), kernel(64, 64), dense(10, shapes[3], (32, 32))]
    network = chain(*shapes, connections=connections)
    small = replace(BRIEF, max_chips=1, cores_per_chip=20)
    with pytest.raises(FitError) as refusal:
        place(network, small)
    text = str(refusal.value)
    assert "needs 25 loihi2-brief cores; 1 chip has 20" in text
    assert "12/16 of the channels in every hidden layer" in text
    assert "target " in text


def test_targets_of_a_board_take_the_same_chip():
    chip, board = Target.load("loihi2"), Target.load("kapoho_point")
    network = deep(4)
    assert place(network, chip).cores == place(network, board).cores
