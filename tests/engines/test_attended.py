"""Attention in integers: every engine, step by step and layer by layer, gives the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from attention_graphs import channel_gate, window_gate, with_attention
from comparison import compare
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from populations import make_population
from random_networks import Case, Features, random_injected, random_network

from snndeploy.connections import Conv
from snndeploy.engines.attention import attend
from snndeploy.engines.boundary import OVERFLOW_KINDS
from snndeploy.engines.engine import engine_name
from snndeploy.engines.functional import run_functional
from snndeploy.engines.reference import run_reference
from snndeploy.engines.stepwise import run_stepwise
from snndeploy.lower.pipeline_delay import assign_depths
from snndeploy.network import Attention, Injection, Network, Projection
from snndeploy.target import Target

pytestmark = pytest.mark.torch
FEED_FORWARD = Features(current_decay=True, overflow=True)


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32 - 1))
def test_engines_agree_on_random_networks_with_attention(seed):
    rng = np.random.default_rng(seed)
    network = with_attention(random_network(rng, FEED_FORWARD), rng)
    case = Case(network, random_injected(network, rng, 2), 2)
    assert engine_name(network) == "layers"
    compare(case, run_functional)
    compare(case, run_stepwise)


def chain(attention: Attention, **settings) -> Network:
    """An input, an attended population, a counter behind it; T = 3."""
    shape = (2, 2, 2)
    one = Conv(np.ones((2, 1, 1, 1), dtype=np.int8) * 10, groups=2)
    populations = (
        make_population("in", shape, "input"),
        make_population(
            "middle", shape, threshold=5, scale=0.5, attention=(attention,), **settings
        ),
        make_population("out", shape, threshold=5),
    )
    projections = (
        Projection("in->middle", "in", "middle", one),
        Projection("middle->out", "middle", "out", one),
    )
    return assign_depths(Network(3, populations, projections), Target.load("hybrid45nm"))


def test_a_full_window_waits_for_all_steps():
    rng = np.random.default_rng(1)
    waiting = chain(Attention(window_gate((2, 2, 2), 3, rng), "current", full_window=True))
    depths = [(p.arrival, p.depth) for p in waiting.populations]
    assert depths == [(0, 0), (1, 4), (5, 5)]
    assert waiting.chip_steps == 3 + 5
    at_once = chain(Attention(channel_gate((2, 2, 2), rng), "current"))
    assert [(p.arrival, p.depth) for p in at_once.populations] == [(0, 0), (1, 1), (2, 2)]


def test_refined_integers_by_hand():
    """A gate of sigmoid(0) = 1/2 halves every value: 10 << 6 becomes 5 << 6, and a odd one rounds
    half to even in units of v after the grid of 2^-16."""
    graph = channel_gate((2, 1, 1), np.random.default_rng(0))
    silent = replace(graph.by_name["score"], parameters={"weight": np.zeros((2, 2))})
    nodes = [silent if node.name == "score" else node for node in graph.nodes]
    attention = Attention(graph.with_nodes(nodes), "current")
    population = make_population("p", (2, 1, 1), scale=64.0, attention=(attention,))
    values = np.array([640, -640, 7, 9, 1 << 23, -(1 << 23)]).reshape(3, 1, 2, 1, 1)
    overflows = np.zeros(len(OVERFLOW_KINDS), dtype=np.int64)
    found = attend(population, attention, values, overflows).reshape(-1).tolist()
    # unit 1.0: 2^23 saturates at 2^15 on the grid, which is counted
    assert found == [320, -320, 4, 4, 1 << 14, -(1 << 14)]
    assert dict(zip(OVERFLOW_KINDS, overflows.tolist(), strict=True))["attention"] == 2


def test_attention_changes_what_fires():
    """Not vacuous: the same network without it fires more."""
    rng = np.random.default_rng(2)
    attended = chain(Attention(channel_gate((2, 2, 2), rng), "current"))
    plain = replace(
        attended,
        populations=tuple(replace(p, attention=()) for p in attended.populations),
        injections=attended.injections,
    )
    injection = (Injection("in", "x", "spikes", minimum=0, maximum=1),)
    spikes = {0: np.ones((1, 3, 2, 2, 2), dtype=np.int32)}
    counts = [
        run_reference(replace(n, injections=injection), spikes).spike_counts["middle"].sum()
        for n in (attended, plain)
    ]
    assert counts[0] < counts[1] == 24
