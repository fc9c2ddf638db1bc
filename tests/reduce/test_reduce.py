"""Reduction by proof: what stays does the same bit for bit; each pass removes what was planted."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from populations import altered, make_population
from random_networks import Case, Features, networks

from snndeploy.connections import Conv, Dense
from snndeploy.engines.activity import Activity
from snndeploy.engines.engine import run_network
from snndeploy.engines.reference import run_reference
from snndeploy.network import (
    SILENT,
    STEADY,
    UNREAD,
    Attention,
    Injection,
    Network,
    Projection,
    Readout,
)
from snndeploy.program.consistency_network import check_network
from snndeploy.reduce.drop import Skip
from snndeploy.reduce.reduce import Observed, Reduction, neurons_left, reduce
from snndeploy.target import Target

TARGET = Target.load("loihi2")


def injected_into(case: Case, reduced: Network) -> dict[int, np.ndarray]:
    """The case's host values as the reduced network takes them: its channels, its injections."""
    found = {}
    for index, injection in enumerate(reduced.injections):
        names = [(i.target, i.encoder_output) for i in case.network.injections]
        values = case.injected[names.index((injection.target, injection.encoder_output))]
        steps = values[:, None] if injection.mode == "bias" else values
        kept = reduced.kept_of(injection.target, steps)
        found[index] = kept[:, 0] if injection.mode == "bias" else kept
    return found


def assert_unchanged(case: Case, found: Reduction) -> None:
    """Answers, the spikes of what stays, and what the records say of what went."""
    before = run_reference(case.network, case.injected, samples=case.samples)
    network = found.network
    injected = injected_into(case, network)
    slow = run_reference(network, injected, samples=case.samples)
    quick = run_network(network, injected, list(network.by_name), samples=case.samples)
    for after in (slow, quick):
        assert_same(network, before, after)


def assert_same(network: Network, before: Activity, after: Activity) -> None:
    np.testing.assert_array_equal(after.outputs, before.outputs)
    for name in network.by_name:
        kept = network.kept_of(name, before.spikes[name])
        np.testing.assert_array_equal(after.spikes[name], kept, err_msg=name)
    for entry in network.reduced:
        spikes = before.spikes[entry.population]
        assert not spikes[:, :, entry.place == SILENT].any(), entry.population
        assert spikes[:, :, entry.place == STEADY].all(), entry.population
        here = entry.place >= 0
        if here.any():
            carried = after.spikes[entry.carrier][:, :, entry.place[here]]
            np.testing.assert_array_equal(carried, spikes[:, :, here], err_msg=entry.population)


def assert_no_larger(before: Network, after: Network) -> None:
    synapses = [sum(count for _, count in network.synapses()) for network in (before, after)]
    assert synapses[1] <= synapses[0]
    assert after.neurons <= before.neurons
    assert after.chip_steps <= before.chip_steps


FEATURES = {
    "plain": Features(),
    "all": Features(recurrent=True, current_decay=True, axonal_delays=True),
    "overflow": Features(overflow=True, timesteps=4),
    "programs": Features(programmed=True, recurrent=True, timesteps=4),
}


@pytest.mark.parametrize("name", FEATURES)
def test_random_networks_keep_their_spikes(name: str) -> None:
    @settings(max_examples=25, deadline=None)
    @given(networks(FEATURES[name], samples=2))
    def check(case: Case) -> None:
        found = reduce(case.network, TARGET)
        check_network(found.network)
        assert_no_larger(case.network, found.network)
        assert_unchanged(case, found)

    check()


# planted redundancy: input -> a -> b -> readout; channels 0..2 of a are random

NATURAL = 3


def planted(seed: int, plant: tuple[str, ...], timesteps: int = 3, limit: int = 20) -> Network:
    """Channels of `a` behind the first three are what `plant` names, in its order."""
    rng = np.random.default_rng(seed)
    channels = NATURAL + len(plant)
    into = rng.integers(-60, 61, (channels, 2, 3, 3)).astype(np.int8)
    out = rng.integers(-limit, limit + 1, (4, channels, 3, 3)).astype(np.int8)
    bias = rng.integers(-9, 10, channels).astype(np.int32)
    out[:, :NATURAL][out[:, :NATURAL] == 0] = 1  # so that these are read
    for channel, kind in enumerate(plant, start=NATURAL):
        if kind == "silent":
            into[channel], bias[channel] = -np.abs(into[channel]), -1
        elif kind == "steady":
            into[channel], bias[channel] = 0, 900
        elif kind == "twin":
            into[channel], bias[channel] = into[0], bias[0]
        else:
            out[:, channel] = 0
    shape = (4, 5)
    populations = (
        make_population("input", (2, *shape), "input"),
        make_population("a", (channels, *shape), threshold=60, membrane_decay=1024, bias=bias,
                   bias_exponent=3, depth=1),
        make_population("b", (4, *shape), threshold=70, membrane_decay=2048, depth=2,
                   bias=rng.integers(-9, 10, 4).astype(np.int32), bias_exponent=6),
        make_population("readout", (3, 1, 1), "integrator", depth=3),
    )  # fmt: skip
    classes = rng.integers(-60, 61, (3, 4, *shape)).astype(np.int8)
    projections = (
        Projection("input->a", "input", "a", Conv(into, padding=(1, 1))),
        Projection("a->b", "a", "b", Conv(out, padding=(1, 1)), exponent=1),
        Projection("b->readout", "b", "readout", Dense(classes)),
    )
    injections = (Injection("input", "input", "spikes", minimum=0, maximum=1),)
    readout = Readout("readout", "membrane")
    return Network(timesteps, populations, projections, injections, readout)


def case_of(network: Network, seed: int = 0, samples: int = 2) -> Case:
    rng = np.random.default_rng(seed)
    shape = (samples, network.timesteps, *network.by_name["input"].shape)
    return Case(network, {0: (rng.random(shape) < 0.4).astype(np.int32)}, samples)


def with_population(network: Network, name: str, **changes: object) -> Network:
    populations = (altered(p, **changes) if p.name == name else p for p in network.populations)
    return replace(network, populations=tuple(populations))


def with_projection(network: Network, name: str, **changes: object) -> Network:
    projections = (
        replace(p, **changes) if p.name == name else p  # type: ignore[arg-type]
        for p in network.projections
    )
    return replace(network, projections=tuple(projections))


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.sampled_from(["silent", "steady", "twin", "unread"]), min_size=1, max_size=4),
)
def test_what_was_planted_goes_and_nothing_else_changes(seed: int, plant: list[str]) -> None:
    network = planted(seed, tuple(plant))
    found = reduce(network, TARGET)
    place = next(entry for entry in found.network.reduced if entry.population == "a").place
    expected = {"silent": SILENT, "steady": STEADY, "twin": place[0], "unread": UNREAD}
    for channel, kind in enumerate(plant, start=NATURAL):
        assert place[channel] == expected[kind], (kind, place)
    if not {"twin", "unread"} & set(plant):  # their weights were not random
        assert found.network.by_name["a"].shape[0] <= NATURAL
    assert found.proved
    assert_no_larger(network, found.network)
    assert found.network.neurons <= network.neurons - 20 * len(plant)
    assert_unchanged(case_of(network, seed), found)


def test_a_network_without_redundancy_stays_as_it_is() -> None:
    network = planted(0, ())
    found = reduce(network, TARGET)
    assert found.network is network
    assert (found.removals, found.skips) == ((), ())


def test_a_steady_channel_becomes_a_bias_with_fewer_taps_at_the_border() -> None:
    network = planted(3, ("steady",))
    reduced = reduce(network, TARGET).network
    weight = network.projections[1].connection.weight[:, NATURAL].astype(int)
    before, after = network.by_name["b"], reduced.by_name["b"]
    assert before.bias is not None and after.bias is not None
    units = after.bias.astype(int) << after.bias_exponent
    added = units - (before.bias.astype(int) << 6)[:, None, None]
    for channel, row, column in np.ndindex(4, 4, 5):
        taps = [
            weight[channel, y, x]
            for y in range(3)
            for x in range(3)
            if 0 <= row + y - 1 < 4 and 0 <= column + x - 1 < 5
        ]
        assert added[channel, row, column] == sum(taps) * 2 * 64


def only_skip(network: Network) -> Skip:
    found = reduce(network, TARGET)
    assert found.network is network
    (skip,) = found.skips
    return skip


def test_a_bias_that_the_register_cannot_hold_keeps_its_channel() -> None:
    network = with_projection(planted(1, ("steady",)), "a->b", exponent=6)
    odd = np.array([1, 3, 5, 7], dtype=np.int32)
    network = with_population(network, "b", bias=odd, bias_exponent=0)
    assert only_skip(network) == Skip("a", 1, "a bias register cannot hold what it adds exactly")


def test_a_relay_has_no_bias_for_a_steady_channel() -> None:
    network = with_population(planted(1, ("steady",)), "b", kind="relay", bias=None,
                              payload_bound=4000)  # fmt: skip
    assert only_skip(network) == Skip("a", 1, "b has no bias")


def test_a_steady_channel_that_arrives_late_stays() -> None:
    network = with_projection(planted(1, ("steady",)), "a->b", delay=1)
    reason = "its spikes arrive at another step than they were sent in"
    assert only_skip(network) == Skip("a", 1, reason)


def test_twins_stay_where_the_sum_of_their_weights_does_not_fit() -> None:
    network = planted(5, ("twin",))
    weight = network.projections[1].connection.weight.copy()
    weight[2, [0, NATURAL], 1, 1] = 64
    network = with_projection(network, "a->b", connection=Conv(weight, padding=(1, 1)))
    reason = "the sum of their weights leaves 8 bits, or their delays differ"
    assert only_skip(network) == Skip("a", 1, reason)
    weight[2, 0, 1, 1] = 63
    network = with_projection(network, "a->b", connection=Conv(weight, padding=(1, 1)))
    merged = reduce(network, TARGET).network.projections[1].connection.weight
    assert merged[2, 0, 1, 1] == 127


def test_channels_that_differ_in_one_weight_or_in_bias_are_no_twins() -> None:
    network = planted(5, ("twin",))
    weight = network.projections[0].connection.weight.copy()
    weight[NATURAL, 1, 2, 2] ^= 1
    other = with_projection(network, "input->a", connection=Conv(weight, padding=(1, 1)))
    assert reduce(other, TARGET).removals == ()
    bias = network.by_name["a"].bias
    assert bias is not None
    assert reduce(with_population(network, "a", bias=bias + np.eye(4, dtype=np.int32)[3]),
                  TARGET).removals == ()  # fmt: skip


def test_the_host_tells_twins_apart() -> None:
    network = planted(5, ("twin",))
    graded = Injection("a", "other", "graded", minimum=-9, maximum=9)
    assert reduce(replace(network, injections=(*network.injections, graded)), TARGET).removals == ()


def test_what_the_host_sends_can_wake_a_silent_channel() -> None:
    network = planted(2, ("silent",))
    for most, count in ((60, 1), (69, 0)):  # threshold 60; the bias takes 8 of 64 off
        own = Injection("a", "other", "graded", minimum=0, maximum=most)
        with_host = replace(network, injections=(*network.injections, own), timesteps=1)
        assert sum(r.channels for r in reduce(with_host, TARGET).removals) == count


def test_the_last_step_decides_whether_a_channel_is_silent() -> None:
    """v grows by 20 << 6 a step without leak: above 60 << 6 in the fourth."""
    network = planted(2, ("silent",))
    bias = network.by_name["a"].bias
    assert bias is not None
    bias = np.where(np.arange(4) == NATURAL, 20 * 8, bias).astype(np.int32)
    network = with_population(network, "a", bias=bias, membrane_decay=0)
    silent = {}
    for steps in (3, 4):
        found = reduce(replace(network, timesteps=steps), TARGET)
        silent[steps] = [r.reason for r in found.removals]
        assert_unchanged(case_of(replace(network, timesteps=steps)), found)
    assert silent == {3: ["never fires"], 4: []}


def test_a_population_that_nobody_reads_goes_with_what_only_it_reads() -> None:
    network = planted(4, ())
    b = replace(network.by_name["b"], name="c")
    extra = Projection("a->c", "a", "c", network.projections[1].connection)
    network = replace(network, populations=(*network.populations, b),
                      projections=(*network.projections, extra))  # fmt: skip
    found = reduce(network, TARGET)
    assert [p.name for p in found.network.populations] == ["input", "a", "b", "readout"]
    (entry,) = found.network.reduced
    assert (entry.population, entry.carrier, entry.place.tolist()) == ("c", "", [UNREAD] * 4)
    assert_unchanged(case_of(network), found)


def depthwise(network: Network, weight: int, threshold: int) -> Network:
    """The network with a population between a and b that repeats a, channel by channel."""
    a, b = network.by_name["a"], network.by_name["b"]
    channels = a.shape[0]
    copy = make_population("copy", a.shape, threshold=threshold, membrane_decay=512, depth=2)
    identity = Conv(np.full((channels, 1, 1, 1), weight, dtype=np.int8), groups=channels)
    first, second, last = network.projections
    return replace(
        network,
        populations=(network.by_name["input"], a, copy, replace(b, depth=3),
                     replace(network.by_name["readout"], depth=4)),
        projections=(first, Projection("a->copy", "a", "copy", identity),
                     replace(second, name="copy->b", source="copy"),
                     replace(second, name="a->b", delay=1), last),
    )  # fmt: skip


def test_a_population_that_repeats_its_source_goes_and_the_path_is_shorter() -> None:
    network = depthwise(planted(6, ()), 61, 60)
    found = reduce(network, TARGET)
    assert [(r.population, r.reason) for r in found.removals] == [("copy", "copies its source")]
    assert found.network.chip_steps == network.chip_steps - 1
    assert [(p.name, p.source, p.delay) for p in found.network.projections] == [
        ("input->a", "input", 0), ("a->b#2", "a", 0), ("a->b", "a", 0), ("b->readout", "b", 0),
    ]  # fmt: skip
    (entry,) = found.network.reduced
    assert (entry.population, entry.carrier) == ("copy", "a")
    assert_unchanged(case_of(network), found)


def test_one_spike_that_is_not_enough_makes_no_copy() -> None:
    assert reduce(depthwise(planted(6, ()), 60, 60), TARGET).removals == ()


def test_a_depthwise_convolution_loses_whole_groups_only() -> None:
    """The silent channel of a and its group go together, or stay together."""
    network = depthwise(planted(7, ("silent",)), 40, 60)  # two spikes fire the copy
    found = reduce(network, TARGET)
    assert {r.population: r.reason for r in found.removals} == dict.fromkeys(
        ("a", "copy"), "never fires"
    )
    assert_unchanged(case_of(network), found)
    bias = np.array([0, 0, 0, 100], dtype=np.int32)  # the copy of the silent channel fires alone
    awake = with_population(network, "copy", bias=bias, bias_exponent=6)
    awake = with_projection(awake, "copy->b", exponent=0)
    kept = reduce(awake, TARGET)
    assert kept.network is awake
    assert Skip("a", 1, "a grouped convolution would need its other channels to go as well") in (
        kept.skips
    )


def relays_in_a_row(count: int, exponent: int) -> Network:
    """Differences of differences: each relay's worst case is far beyond what it ever sends."""
    difference = Conv(np.array([[127, -127], [126, -126]], dtype=np.int8)[:, :, None, None])
    shape, names = (2, 1, 1), ["input", *(f"relay{i}" for i in range(count)), "a", "readout"]
    relays = [make_population(name, shape, "relay", payload_bound=1 << 15) for name in names[1:-2]]
    populations = (
        make_population("input", shape, "input"), *relays, make_population("a", shape, threshold=5),
        make_population("readout", (1, 1, 1), "integrator"),
    )  # fmt: skip
    own = Conv(np.array([[100, 0], [0, 90]], dtype=np.int8)[:, :, None, None])
    projections = (
        *(Projection(f"{a}->{b}", a, b, difference, exponent)
          for a, b in itertools.pairwise(names[:-1])),
        Projection("input->a", "input", "a", own, delay=count),
        Projection("a->readout", "a", "readout", Dense(np.array([[[[10]], [[7]]]], dtype=np.int8))),
    )  # fmt: skip
    return Network(
        2, tuple(replace(p, depth=depth) for depth, p in enumerate(populations)), projections,
        (Injection("input", "input", "spikes", minimum=0, maximum=1),),
        Readout("readout", "membrane"),
    )  # fmt: skip


@pytest.mark.parametrize("exponent", [1, 3, 5, 7])
@pytest.mark.parametrize("count", [4, 5, 6, 7])
def test_bounds_beyond_64_bits_prove_nothing(count: int, exponent: int) -> None:
    """Both inputs fire at once: the relays send nothing, and the neurons do fire."""
    network = relays_in_a_row(count, exponent)
    case = Case(network, {0: np.ones((1, 2, 2, 1, 1), dtype=np.int32)}, 1)
    found = reduce(network, TARGET)
    assert not found.removals
    assert_unchanged(case, found)


def test_a_population_with_attention_stays_whole() -> None:
    network = planted(8, ("silent", "twin", "unread"))
    attention = (Attention(None, "current"),)  # type: ignore[arg-type]
    network = with_population(network, "a", attention=attention)
    assert reduce(network, TARGET).removals == ()


# what was seen on data is no proof


def observed(network: Network, never: list[int], always: list[int]) -> Observed:
    """A neuron of channel 0 alone never fires: no reason to remove the channel."""
    shape = network.by_name["a"].shape
    masks = [np.zeros(shape, dtype=bool) for _ in range(2)]
    masks[0][never], masks[1][always], masks[0][0, 1, 1] = True, True, True
    return Observed(4, {"a": masks[0]}, {"a": masks[1]})


def test_what_was_observed_goes_without_proof() -> None:
    network = planted(9, ("silent", "unread"))
    found = reduce(network, TARGET, observed(network, [1], [2]))
    assert not found.proved
    (entry,) = found.network.reduced
    assert entry.place.tolist() == [0, SILENT, STEADY, SILENT, UNREAD]
    assert neurons_left(found.network, observed(network, [1], [2])) == [("a", 1, 0)]
    assert {(r.reason, r.channels, r.proved) for r in found.removals} == {
        ("never fires", 1, True), ("is read by nobody", 1, True),
        ("never fires", 1, False), ("always fires", 1, False),
    }  # fmt: skip


def test_an_observation_of_twins_holds_for_the_one_that_stands_for_both() -> None:
    network = planted(9, ("twin",))
    found = reduce(network, TARGET, observed(network, [0, NATURAL], []))
    (entry,) = found.network.reduced
    assert entry.place.tolist() == [SILENT, 0, 1, SILENT]
