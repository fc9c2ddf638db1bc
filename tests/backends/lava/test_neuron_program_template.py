"""The bundle's arithmetic of a neuron program is the compiler's, step for step, without Lava."""

from __future__ import annotations

import itertools
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snndeploy.backends.lava import neuron_program_template as bundled
from snndeploy.backends.lava.express import as_process
from snndeploy.neurons import Lif, Neuron, Programmed, Reset, WhileRefractory, no_overflows

SHAPE, STEPS = (3, 4, 2), 12
UNIT = 60 << 6
FORMS = list(itertools.product(Reset, WhileRefractory, (0, 2), (1, 5)))


def drawn(seed: int, form: tuple[Reset, WhileRefractory, int, int]) -> Programmed:
    """Random registers of a form."""
    rng = np.random.default_rng(seed)
    reset, refractory_input, refractory, most_spikes = form
    return Programmed(
        membrane_decay=int(rng.choice([0, 1, 700, 4096])),
        current_decay=int(rng.choice([0, 900, 4096])),
        threshold=int(rng.integers(UNIT // 2, UNIT)),
        reset=reset,
        reset_value=int(rng.integers(-UNIT, UNIT)),
        amount=int(rng.integers(UNIT // 3, UNIT)),
        lower_bound=int(rng.choice([-UNIT, 0, -(1 << 23) + 1])),
        initial=int(rng.integers(-UNIT, 2 * UNIT)),
        refractory=refractory,
        refractory_input=refractory_input,
        most_spikes=most_spikes,
    )


def arriving(seed: int, largest: int) -> tuple[np.ndarray, np.ndarray]:
    """What a few steps bring: a, and one bias."""
    rng = np.random.default_rng(seed)
    return rng.integers(-largest, largest + 1, (STEPS, *SHAPE)), rng.integers(-300, 300, SHAPE)


def ours(neuron: Neuron, a: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Payloads of the neuron's own steps, and the membrane behind each."""
    state = {key: np.full(SHAPE, neuron.starts.get(key, 0)) for key in ("u", *neuron.state)}
    sent, membranes = [], []
    for now in a:
        state, payload, _ = neuron.step(state, now, bias, 1 << 30, no_overflows())
        sent.append(payload)
        membranes.append(state["v"])
    return np.stack(sent), np.stack(membranes)


def theirs(neuron: Neuron, a: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    registers = asdict(as_process(neuron))
    state = bundled.at_rest(registers, SHAPE)
    sent, membranes = [], []
    for now in a:
        state, payload = bundled.step(registers, state, now, bias)
        sent.append(payload)
        membranes.append(state["h"])
    return np.stack(sent), np.stack(membranes)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: "-".join(map(str, form)))
def test_every_form_is_the_compilers(form):
    several = 0
    for seed in range(10):
        neuron, (a, bias) = drawn(seed, form), arriving(seed, 150)
        for found, expected in zip(theirs(neuron, a, bias), ours(neuron, a, bias), strict=True):
            np.testing.assert_array_equal(found, expected)
        payloads = theirs(neuron, a, bias)[0]
        assert 0 < np.count_nonzero(payloads) < payloads.size
        several += payloads.max() > 1
    assert bool(several) == (form[3] > 1)


@given(st.integers(0, 10_000), st.sampled_from(FORMS))
def test_far_outside_the_widths(seed, form):
    """Currents that wrap, more than once a step, and membranes that saturate."""
    neuron, (a, bias) = drawn(seed, form), arriving(seed, 1 << 20)
    for found, expected in zip(theirs(neuron, a, bias), ours(neuron, a, bias), strict=True):
        np.testing.assert_array_equal(found, expected)


@given(
    st.integers(0, 10_000), st.integers(0, 4096), st.integers(0, 4096), st.integers(-80, 80),
    st.integers(-80, 1 << 20),
)  # fmt: skip
def test_a_soft_reset_is_a_program_with_the_same_spikes(
    seed, membrane_decay, current_decay, threshold, amount
):
    neuron = Lif(membrane_decay, current_decay, threshold, Reset.SOFT, amount)
    a, bias = arriving(seed, 150)
    np.testing.assert_array_equal(theirs(neuron, a, bias)[0], ours(neuron, a, bias)[0])


def test_what_lava_has_stays_lavas():
    for neuron in (Lif(threshold=5), Lif(reset=Reset.HARD, reset_amount=7)):
        assert as_process(neuron) is neuron
