"""Against the float model: one error at a time, told truly; recurrent, shifted, with a current."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from populations import altered
from spiking_graphs import Net, Rows, compiled

from snndeploy.target import Target
from snndeploy.verify import verify

pytestmark = pytest.mark.torch
STEPS, INPUTS, NEURONS = 12, 10, 16
FINE = {"fires_at": "gt"}  # the fixed neuron tests for more than M with six places below
SHIFTED = {"v_reset": -0.5, "initial": -0.5} | FINE


def net_of(neuron, recurrent=False, bias=False, seed=0):
    """A layer on a grid, so that the compiler rounds nothing of it, and neurons."""
    rng = np.random.default_rng(seed)
    rows = Rows(STEPS, (INPUTS,))
    offset = rng.integers(-4, 5, NEURONS) / 16 if bias else None
    rows.layer(rng.integers(-16, 17, (NEURONS, INPUTS)) / 16, offset)
    back = rng.integers(-8, 9, (NEURONS, NEURONS)) / 16 if recurrent else None
    rows.neuron(back, **{"threshold": 1.0, "decay": 1.0, "fires_at": "ge"} | neuron)
    rows.layer(rng.integers(-8, 9, (3, NEURONS)) / 8)
    events = rng.random((30, STEPS, INPUTS)) < 0.4
    return Net(rows.graph(), events.astype(np.float32))


def neurons_of(program):
    return next(p for p in program.network.populations if p.origin.startswith("neuron"))


def changed(program, **registers):
    name = neurons_of(program).name
    populations = tuple(
        altered(p, **registers) if p.name == name else p for p in program.network.populations
    )
    return replace(program, network=replace(program.network, populations=populations))


def float_link(program, net):
    return verify(program, net.events)[0].links[-1]


FORMS = [
    ("loihi1", FINE, True),
    ("loihi2", {"reset": "soft", "initial": 0.25}, True),
    ("loihi1", SHIFTED, False),
    ("loihi1", SHIFTED, True),
    ("loihi2", {"current_decay": 0.5, "reset": "soft", "decay": 1.0}, False),
    ("loihi2", {"reset": "none", "decay": 0.5, "refractory": 2}, True),
]


@pytest.mark.parametrize(("chip", "neuron", "recurrent"), FORMS)
def test_threshold_and_decay_registers(chip, neuron, recurrent):
    net = net_of(neuron, recurrent, bias=True)
    program = compiled(net, Target.load(chip))
    registers = neurons_of(program).neuron
    lower = changed(program, threshold=registers.threshold - registers.threshold // 8)
    first = float_link(lower, net).first
    assert first is not None and first.cause == "threshold rounding"
    assert (first.expected_spike, first.found_spike) == (0, 1)
    assert first.found_membrane > first.found_above
    assert first.expected_membrane <= first.threshold
    leaky = changed(program, membrane_decay=registers.membrane_decay + 700)
    first = float_link(leaky, net).first
    assert first is not None and first.cause == "decay rounding"


def test_current_decay_register():
    net = net_of({"current_decay": 0.5, "reset": "soft"}, bias=True)
    program = compiled(net, Target.load("loihi2"))
    assert neurons_of(program).neuron.current_decay == 2048
    first = float_link(changed(program, current_decay=2900), net).first
    assert first is not None and first.cause == "current_decay rounding"


@pytest.mark.parametrize(
    ("register", "stated", "value", "cause"),
    [
        ("reset_value", {"v_reset": -0.5, "decay": 0.5}, 0, "v_reset rounding"),
        ("initial", {"initial": 0.5}, 0, "initial rounding"),
        ("refractory", {"refractory": 3}, 1, "refractory: the chip's is 1, the model's 3"),
        ("most_spikes", {"most_spikes": 4, "reset": "soft"}, 1,
         "most_spikes: the chip's is 1, the model's 4"),
    ],
)  # fmt: skip
def test_registers_of_a_program(register, stated, value, cause):
    net = net_of(stated)
    program = compiled(net, Target.load("loihi2"))
    first = float_link(changed(program, **{register: value}), net).first
    assert first is not None and first.cause == cause


def test_a_wrapped_current():
    """A current that never fades passes 24 bits."""
    rows = Rows(800, (4,))
    rows.layer(np.array([[1.0, 0.5, 0.25, -0.003], [-1.0, -0.7, -0.31, 0.0]]))
    lasting = {"current_decay": 1.0, "reset": "none", "initial": 0.01}
    rows.neuron(threshold=40.0, decay=0.0, fires_at="ge", **lasting)
    rows.layer(np.ones((2, 2)))
    few = np.zeros((2, 800, 4), np.float32)
    few[:, :3] = 1
    net = Net(rows.graph(), np.ones_like(few))
    program = compiled(net, Target.load("loihi2"), few)
    name = neurons_of(program).name
    assert not program.facts.quantized(name).proved
    assert any(note.startswith(f"{name}: its membrane could reach") for note in program.facts.notes)
    first = float_link(program, net).first
    assert first is not None and first.cause == "the current wrapped at 24 bits"


@pytest.mark.parametrize(("chip", "neuron", "recurrent"), FORMS)
def test_sound_programs_pass_and_do_what_the_model_does(chip, neuron, recurrent):
    net = net_of(neuron | ({"decay": 1.0} if neuron.get("decay") else {}), recurrent, bias=True)
    program = compiled(net, Target.load(chip))
    found = verify(program, net.events)[0]
    assert found.passed and found.links[-1].first is None, str(found.links[-1].first)
