"""Attention for hand-made and random populations: gates from means, of one step or of a window."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from snndeploy.graph import Graph, Node
from snndeploy.lower.pipeline_delay import assign_depths
from snndeploy.network import Attention, Network, Population
from snndeploy.ops.fixed_point import fixed_point
from snndeploy.target import Target

BATCH = (("batch", 1),)


def features(*sizes):
    return tuple((("feature", size),) for size in sizes)


def channel_gate(shape, rng) -> Graph:
    """x * sigmoid(W mean over the plane(x)), step by step."""
    time = (("time", 1),)
    channels = shape[0]
    weight = rng.normal(size=(channels, channels)) * 2
    nodes = (
        Node("x", "input", attributes={"signal": "real"}, axes=(BATCH, time, *features(*shape))),
        Node("mean", "mean", ("x",), {"dimensions": [3, 4], "keep": False},
             axes=(BATCH, time, *features(channels))),
        Node("score", "linear", ("mean",), parameters={"weight": weight},
             axes=(BATCH, time, *features(channels))),
        Node("gate", "sigmoid", ("score",), axes=(BATCH, time, *features(channels))),
        Node("spread", "view", ("gate",), axes=(BATCH, time, *features(channels), (), ())),
        Node("refined", "multiply", ("x", "spread"), axes=(BATCH, time, *features(*shape))),
    )  # fmt: skip
    return fixed_point(Graph(nodes, ("refined",), 1))


def window_gate(shape, timesteps, rng) -> Graph:
    """x * sigmoid(W mean over each step(x)), W along all T steps."""
    time = (("time", timesteps),)
    weight = rng.normal(size=(timesteps, timesteps)) * 2
    nodes = (
        Node("x", "input", attributes={"signal": "real"}, axes=(BATCH, time, *features(*shape))),
        Node("mean", "mean", ("x",), {"dimensions": [2, 3, 4], "keep": False}, axes=(BATCH, time)),
        Node("score", "linear", ("mean",), parameters={"weight": weight},
             axes=(BATCH, *features(timesteps))),
        Node("gate", "sigmoid", ("score",), axes=(BATCH, *features(timesteps))),
        Node("spread", "view", ("gate",), axes=(BATCH, *features(timesteps), (), (), ())),
        Node("refined", "multiply", ("x", "spread"), axes=(BATCH, time, *features(*shape))),
    )  # fmt: skip
    return fixed_point(Graph(nodes, ("refined",), timesteps))


def random_attention(population: Population, timesteps: int, rng) -> Population:
    """The population with attention at its current, its membrane, both or neither."""
    found = []
    kind = rng.integers(3)
    if kind == 1:
        found.append(Attention(channel_gate(population.shape, rng), "current"))
    if kind == 2:
        graph = window_gate(population.shape, timesteps, rng)
        found.append(Attention(graph, "current", full_window=True))
    if population.neuron.name == "lif" and rng.integers(2):
        found.append(Attention(channel_gate(population.shape, rng), "membrane"))
    scale = float(10.0 ** rng.uniform(-3, 0))
    return replace(population, attention=tuple(found), scale=scale)


def with_attention(network: Network, rng: np.random.Generator) -> Network:
    """A feed-forward network with attention on some of its populations, depths assigned anew."""
    populations = tuple(
        random_attention(p, network.timesteps, rng) if p.neuron.name in ("lif", "relay") else p
        for p in network.populations
    )
    patient = replace(Target.load("hybrid45nm"), delay_max=10_000)
    return assign_depths(replace(network, populations=populations), patient)
