"""Compiled programs: the reference step, the fast engines and an independent model, bit for bit."""

from __future__ import annotations

import ast
import dataclasses
from enum import Enum
from pathlib import Path

import integer_model
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spiking_graphs import compiled, random_net

from snndeploy.connections import Conv
from snndeploy.engines.engine import run_network
from snndeploy.engines.reference import run_reference
from snndeploy.network import Network
from snndeploy.neurons import OVERFLOW_KINDS
from snndeploy.simulator.run import encode
from snndeploy.target import Target

pytestmark = pytest.mark.torch
NARROW = """
schema = 1
based_on = "loihi2"
[chip]
name = "narrow"
description = "weights of 4 bits"
[formats]
weight_bits = { value = 4, unit = "bits", mark = "assumed", source = "a toy" }
weight_min = { value = -8, unit = "weight units", mark = "assumed", source = "a toy" }
weight_max = { value = 7, unit = "weight units", mark = "assumed", source = "a toy" }
weight_step_mixed = { value = 1, unit = "weight units", mark = "assumed", source = "a toy" }
"""
CHIPS = {name: Target.load(name) for name in ("loihi1", "loihi2", "hybrid45nm")}
CHIPS["narrow"] = Target.from_text(NARROW, origin="narrow.toml")
DECAYS = {"none": [1.0], "exact": [0.5, 0.75, 0.0], "inexact": [0.9, 0.99], "strong": [0.1, 0.02]}


def plain(network: Network, injected: dict[int, np.ndarray], samples: int):
    """A network as dicts of arrays and numbers."""
    populations = [
        {
            "name": p.name, "shape": p.shape, "kind": p.neuron.name, "bias": p.own_bias,
            "width": p.accumulator_bits, "current_decay": p.neuron.current_decay,
            **{f.name: said(getattr(p.neuron, f.name)) for f in dataclasses.fields(p.neuron)},
        }
        for p in network.populations
    ]  # fmt: skip
    projections = []
    for wire in network.projections:
        source, target = (network.by_name[name] for name in (wire.source, wire.target))
        late = np.zeros(source.shape, dtype=np.int64)
        if wire.axonal_delay is not None:
            late = late + np.asarray(wire.axonal_delay).reshape(source.shape)
        ahead = network.populations.index(source) < network.populations.index(target)
        late = late + wire.delay - (target.depth - source.depth - 1 if ahead else 0)
        conv = isinstance(wire.connection, Conv)
        form = dataclasses.asdict(wire.connection)
        projections.append(
            form | {"form": "conv" if conv else "dense", "source": wire.source,
                    "target": wire.target, "exponent": wire.exponent, "late": late}
        )  # fmt: skip
    injections = [
        {"target": i.target, "mode": i.mode, "exponent": i.exponent, "values": injected[index]}
        for index, i in enumerate(network.injections)
    ]
    return integer_model.Model(network.timesteps, populations, projections, injections, samples)


def said(value):
    return value.value if isinstance(value, Enum) else value


def check(program, x):
    """All three do the same: spikes, membranes, counts of overflows, outputs."""
    network, samples = program.network, len(x)
    injected, _ = encode(program, x)
    names = [p.name for p in network.populations]
    held = [p.name for p in network.populations if p.neuron.has_membrane]
    reference = run_reference(network, injected, samples=samples)
    fast = run_network(network, injected, record=names, record_membranes=held, samples=samples)
    model = plain(network, injected, samples).run()
    for name in names:
        wanted = np.stack(model.sent[name], axis=1)
        assert np.array_equal(reference.spikes[name], wanted), name
        assert np.array_equal(fast.spikes[name], wanted), name
        for column, kind in enumerate(OVERFLOW_KINDS[:3]):
            counted = model.counts[name][kind]
            assert reference.overflows[name][column] == counted, (name, kind)
            assert fast.overflows[name][column] == counted, (name, kind)
    for name in held:
        wanted = np.stack(model.membranes[name], axis=1)
        assert np.array_equal(reference.membranes[name], wanted), name
        assert np.array_equal(fast.membranes[name], wanted), name
    readout = network.readout
    if readout.kind == "membrane":
        answer = model.membranes[readout.population][-1]
    else:
        answer = np.sum(model.sent[readout.population], axis=0)
    answer = answer.reshape(samples, -1)
    assert np.array_equal(reference.outputs, answer) and np.array_equal(fast.outputs, answer)


def test_the_model_imports_nothing_of_the_compiler():
    tree = ast.parse(Path(integer_model.__file__).read_text())
    nodes = list(ast.walk(tree))
    names = {a.name for node in nodes if isinstance(node, ast.Import) for a in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    assert names == {"__future__", "numpy"}


def net_of(seed, chip, leak, longest):
    rng = np.random.default_rng(seed)
    timesteps = int(rng.integers(1, longest + 1))
    grid, largest = bool(rng.integers(2)), int(rng.choice([1, 20, 127]))
    return random_net(
        rng, CHIPS[chip], timesteps=timesteps, decays=DECAYS[leak],
        currents=[0.0, 0.0, 0.5, 0.9], grid=grid, largest=largest, filtered_bias=True,
    )  # fmt: skip


@pytest.mark.parametrize("chip", CHIPS)
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 1 << 30), leak=st.sampled_from(list(DECAYS)))
def test_the_engines_and_the_model_agree(chip, seed, leak):
    net = net_of(seed, chip, leak, 20)
    check(compiled(net, CHIPS[chip]), net.events)


@pytest.mark.slow
@pytest.mark.parametrize("chip", CHIPS)
@settings(max_examples=120, deadline=None)
@given(seed=st.integers(0, 1 << 30), leak=st.sampled_from(list(DECAYS)))
def test_the_engines_and_the_model_agree_on_many_nets(chip, seed, leak):
    net = net_of(seed, chip, leak, 500)
    check(compiled(net, CHIPS[chip]), net.events)
