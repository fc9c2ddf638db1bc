"""Every kind of mistake in one population is named, beside the true membranes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from snndeploy.connections import Dense
from snndeploy.engines.reference import run_reference
from snndeploy.network import Injection, Network, Population, Projection
from snndeploy.neurons import Input, Lif, Neuron, Relay, Reset
from snndeploy.verify import Link, compare
from snndeploy.verify.divergence import Spikes

STEPS, SAMPLES, SOURCES, NEURONS = 24, 80, 9, 40
SHAPE = (NEURONS, 1, 1)
HARD = Lif(membrane_decay=700, threshold=320)
SOFT = Lif(membrane_decay=700, threshold=320, reset=Reset.SOFT, reset_amount=321)
EXPONENT = 3
BIAS = np.resize(np.array([5000, -300, 90, 0, -4, 4100], dtype=np.int32), NEURONS)


def network_of(neuron: Neuron, bound: int = 1, bias: np.ndarray | None = None) -> Network:
    weight = np.random.default_rng(0).integers(-30, 31, (NEURONS, SOURCES, 1, 1))
    populations = (
        Population("input", (SOURCES, 1, 1), Input(bound)),
        Population("out", SHAPE, neuron, bias=bias, depth=1),
    )
    dense = Dense(weight.astype(np.int8))
    wire = Projection("wire", "input", "out", dense, EXPONENT)
    return Network(STEPS, populations, (wire,), (Injection("input", "x", "spikes"),))


def events(bound: int = 1) -> dict[int, np.ndarray]:
    shape = (SAMPLES, STEPS, SOURCES, 1, 1)
    return {0: np.random.default_rng(1).integers(0, bound + 1, shape).astype(np.int32)}


def compared(ours: Network, theirs: Network | Spikes, injected: dict[int, np.ndarray]) -> Link:
    """The link between another side and `ours`."""
    other = run_reference(theirs, injected).spikes if isinstance(theirs, Network) else theirs
    found = run_reference(ours, injected).spikes
    return compare("other side -> ours", ours, other, found, injected, ours="found")


@pytest.mark.parametrize(
    ("ours", "theirs", "cause"),
    [
        (HARD, replace(HARD, threshold=321),
         "threshold: the other side's is one higher ('>' instead of '>=')"),
        (SOFT, replace(SOFT, threshold=319),
         "threshold: the other side's is one lower ('>=' instead of '>')"),
        (HARD, replace(HARD, membrane_decay=701), "decay: the other side's register is 701"),
        (SOFT, replace(SOFT, membrane_decay=699), "decay: the other side's register is 699"),
        (HARD, replace(HARD, current_decay=4095),
         "current decay: the other side's register is 4095"),
        (HARD, SOFT, "reset: the other side's is soft"),
        (SOFT, HARD, "reset: the other side's is hard"),
        (SOFT, replace(SOFT, reset_amount=322), "reset amount: the other side's register is 322"),
        (SOFT, replace(SOFT, reset_amount=320), "reset amount: the other side's register is 320"),
        (replace(SOFT, reset_amount=9000), SOFT, "reset amount: the other side's register is 321"),
    ],
)  # fmt: skip
def test_registers(ours: Lif, theirs: Lif, cause: str):
    first = compared(network_of(ours), network_of(theirs), events()).first
    assert first is not None and first.cause == cause
    assert first.expected_membrane is not None and first.found_membrane is not None
    assert (first.found_membrane > ours.threshold << 6) == bool(first.found_spike)
    assert (first.expected_membrane > theirs.threshold << 6) == bool(first.expected_spike)
    assert first.threshold == ours.threshold << 6


def test_the_membranes_are_those_of_the_equation():
    """A soft reset by another amount, by hand: v of both sides before the reset."""
    ours, theirs = SOFT, replace(SOFT, reset_amount=322)
    injected = events()
    first = compared(network_of(ours), network_of(theirs), injected).first
    assert first is not None
    weight = network_of(ours).projections[0].connection.weight[first.neuron[0], :, 0, 0]
    seen = injected[0][first.sample, : first.step + 1, :, 0, 0].astype(np.int64)
    found = []
    for neuron in (theirs, ours):
        v = 0
        for now in seen:
            before = int(np.sign(v)) * ((abs(v) * (4096 - 700)) >> 12) + (
                int(weight @ now) << EXPONENT << 6
            )
            v = before - (neuron.reset_amount << 6) if before > neuron.threshold << 6 else before
        found.append(before)
    assert [first.expected_membrane, first.found_membrane] == found


@pytest.mark.parametrize(
    ("theirs", "cause"),
    [
        (None, "bias missing"),
        (((BIAS + 4096) % 8192) - 4096, "wrapped bias (13-bit register)"),
    ],
)
def test_biases(theirs: np.ndarray | None, cause: str):
    ours = network_of(HARD, bias=BIAS)
    first = compared(ours, network_of(HARD, bias=theirs), events()).first
    assert first is not None and first.cause == cause


@pytest.mark.parametrize(("late", "steps"), [(1, "1 step"), (3, "3 steps")])
def test_delays(late: int, steps: str):
    ours = network_of(HARD)
    theirs = replace(ours, projections=(replace(ours.projections[0], delay=late),))
    first = compared(ours, theirs, events()).first
    assert first is not None
    assert first.cause == f"delay: input arrives {steps} late on the other side"


@pytest.mark.parametrize("theirs", [1, 3])
def test_the_shift_of_a_relay(theirs: int):
    ours = network_of(Relay(2, 1 << 20), bound=9)
    first = compared(ours, network_of(Relay(theirs, 1 << 20), bound=9), events(9)).first
    assert first is not None
    assert first.cause == f"payload shift: the other side's register is {theirs}"
    assert first.expected_membrane is None and first.threshold is None


def test_payloads_of_which_only_flags_are_known():
    ours = network_of(Relay(2, 1 << 20), bound=9)
    injected = events(9)
    spikes = run_reference(network_of(Relay(1, 1 << 20), bound=9), injected).spikes
    flags = {name: (values != 0).astype(np.uint8) for name, values in spikes.items()}
    first = compared(ours, flags, injected).first
    assert first is not None
    assert first.cause == "unknown: of payloads only whether they were zero is recorded"


def test_a_membrane_that_does_not_saturate():
    """The other side counts on below -2^23; ours stops there, and comes back too early."""
    neuron = Lif(threshold=1000)
    ours = network_of(neuron)
    strong = replace(ours.projections[0], exponent=12)
    ours = replace(ours, projections=(strong,))
    weight = strong.connection.weight[:, :, 0, 0].astype(np.int64) << strong.exponent
    injected = events()
    fired = np.zeros((SAMPLES, STEPS, *SHAPE), dtype=np.uint8)
    v = np.zeros((SAMPLES, NEURONS), dtype=np.int64)
    for step in range(STEPS):
        current = (injected[0][:, step, :, 0, 0] @ weight.T) << 6
        half = 1 << 23
        v = v + half - (half - current) % (2 * half)
        fired[:, step, :, 0, 0] = v > neuron.threshold << 6
        v = np.where(v > neuron.threshold << 6, 0, v)
    theirs = {"input": injected[0].astype(np.uint8), "out": fired}
    first = compared(ours, theirs, injected).first
    assert first is not None
    assert first.cause == "saturation: the other side's membrane does not stop at 24 bits"
    assert first.found_membrane is not None and first.expected_membrane is not None
    assert first.found_membrane > first.expected_membrane
