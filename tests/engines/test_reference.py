"""The definition itself: hand-made cases with known answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from populations import make_population

from snndeploy.connections import Conv, Dense
from snndeploy.engines.reference import ReferenceChip, run_reference
from snndeploy.errors import DataError
from snndeploy.network import Injection, Network, Projection, Readout
from snndeploy.neurons import no_overflows
from snndeploy.neurons.contract import rz, sat24, wrap24

ONE = (1, 1, 1)


def wire(weight: int = 1) -> Conv:
    return Conv(np.full((1, 1, 1, 1), weight, dtype=np.int32))


def graded_neuron(timesteps: int, **parameters: object) -> Network:
    """One neuron at depth 0 whose a is what the host sends."""
    return Network(
        timesteps,
        (make_population("neuron", ONE, **parameters),),  # type: ignore[arg-type]
        (),
        (Injection("neuron", "x", "graded"),),
        Readout("neuron", "count"),
    )


def run_graded(network: Network, values: list[int]) -> tuple[list[int], list[int]]:
    """Spikes and membranes after each step."""
    given = np.array(values, dtype=np.int32).reshape(1, -1, 1, 1, 1)
    activity = run_reference(network, {0: given})
    return activity.spikes["neuron"].ravel().tolist(), activity.membranes["neuron"].ravel().tolist()


# --- integers ---


def test_rounding_is_toward_zero():
    assert rz(np.array([4095, 4096, -4095, -4096, -4097, 8191, 0]), 12).tolist() == [
        0, 1, 0, -1, -1, 1, 0,
    ]  # fmt: skip


def test_wrap_keeps_the_positive_end():
    edge = 1 << 23
    values = np.array([-edge, -edge + 1, edge, edge + 1, 3 * edge, 0, -1])
    assert wrap24(values).tolist() == [edge, -edge + 1, edge, -edge + 1, edge, 0, -1]


def test_saturation_is_symmetric():
    edge = 1 << 23
    assert sat24(np.array([edge, -edge, edge - 1, 5])).tolist() == [edge - 1, 1 - edge, edge - 1, 5]


# --- neurons: the golden traces of the papers, in thousandths ---

SIX_TIMES_300 = [300] * 6
MIXED = [200, 250, 100, 300, 500, 0]
SIX_TIMES_400 = [400] * 6


@pytest.mark.parametrize(
    ("threshold", "decay", "values", "at_least", "above"),
    [
        (300, 0.3, SIX_TIMES_300, [1, 1, 1, 1, 1, 1], [0, 1, 0, 1, 0, 1]),
        (300, 0.3, MIXED, [0, 1, 0, 1, 1, 0], [0, 1, 0, 1, 1, 0]),
        (500, 0.25, SIX_TIMES_400, [0, 1, 0, 1, 0, 1], [0, 0, 1, 0, 0, 1]),
    ],
)
def test_golden_traces(
    threshold: int, decay: float, values: list[int], at_least: list[int], above: list[int]
):
    leak = round(4096 * (1 - decay))
    fires_at = graded_neuron(6, threshold=threshold - 1, membrane_decay=leak)
    fires_above = graded_neuron(6, threshold=threshold, membrane_decay=leak)
    assert run_graded(fires_at, values)[0] == at_least
    assert run_graded(fires_above, values)[0] == above


def test_soft_reset_keeps_the_excess():
    network = graded_neuron(3, threshold=9, reset="soft", reset_amount=10)
    spikes, membranes = run_graded(network, [25, 0, 0])
    assert spikes == [1, 1, 0]
    assert membranes == [15 << 6, 5 << 6, 5 << 6]


def test_current_decays_before_the_input_is_added():
    network = graded_neuron(4, kind="integrator", current_decay=2048, membrane_decay=4096)
    spikes, membranes = run_graded(network, [-5, 0, 0, 1])
    assert membranes == [-320, -160, -80, 24]
    assert spikes == [0, 0, 0, 0]


def test_hardware_quirk_most_negative_input_spikes():
    """a = -131072 gives u = -2^23, which wraps to +2^23; v saturates and fires."""
    neuron = make_population("neuron", ONE, threshold=131071)
    zero = np.zeros((1, *ONE), dtype=np.int64)
    overflows = no_overflows()
    state = {"u": zero, "v": zero}
    stepped = neuron.neuron.step(state, zero - 131072, 0, neuron.input_maximum, overflows)
    assert stepped.state["u"].item() == 1 << 23
    assert stepped.payload.item() == 1
    assert overflows.tolist() == [1, 1, 1, 0, 0]


def test_hardware_quirk_largest_threshold_does_not_silence():
    """Saturated v = 8388607 exceeds 131071 << 6 = 8388544; without saturation 131071 does not."""
    assert run_graded(graded_neuron(2, threshold=131071), [131071, 1]) == ([0, 1], [8388544, 0])


def test_overflows_are_told():
    network = graded_neuron(2, threshold=131071, kind="integrator")
    given = np.array([131073, 100000], dtype=np.int32).reshape(1, 2, 1, 1, 1)
    assert run_reference(network, {0: given}).warnings == (
        "neuron: 2 inputs beyond the declared 16 bits (|a| > 32767)",
        "neuron: 1 currents wrapped at 24 bits",
    )
    wide = graded_neuron(2, threshold=131071, kind="integrator", accumulator_bits=18)
    assert run_reference(wide, {0: given}).warnings == (
        "neuron: 1 inputs beyond the declared 18 bits (|a| > 131071)",
        "neuron: 1 currents wrapped at 24 bits",
    )


# --- synapses ---


def test_convolution_by_hand():
    weight = np.array([[[[1, 2], [3, 4]]]], dtype=np.int32)
    payload = np.arange(1, 10).reshape(1, 1, 3, 3)
    plain = Conv(weight).sums(payload)
    assert plain[0, 0].tolist() == [[37, 47], [67, 77]]
    strided = Conv(weight, stride=(2, 2), padding=(1, 1)).sums(payload)
    assert strided[0, 0].tolist() == [[4, 18], [36, 77]]
    dilated = Conv(weight, dilation=(2, 2)).sums(payload)
    assert dilated[0, 0].tolist() == [[1 * 1 + 2 * 3 + 3 * 7 + 4 * 9]]


def test_grouped_convolution_keeps_groups_apart():
    weight = np.array([[[[2]]], [[[3]]]], dtype=np.int32)
    payload = np.array([[[[1]], [[10]]]])
    assert Conv(weight, groups=2).sums(payload).ravel().tolist() == [2, 30]


def test_pooled_dense_drops_incomplete_windows():
    weight = np.array([[[[1, 10]]]], dtype=np.int32)  # one row of two windows of 2 x 2
    payload = np.ones((1, 1, 3, 5), dtype=np.int64)
    assert Dense(weight, (2, 2)).sums(payload).ravel().tolist() == [4 + 40]


# --- time ---


def chain(delay: int, late: np.ndarray | None = None) -> Network:
    return Network(
        3,
        (
            make_population("input", ONE, "input"),
            make_population("first", ONE, membrane_decay=4096, depth=1),
            make_population("second", ONE, "integrator", depth=2),
        ),
        (
            Projection("a", "input", "first", wire()),
            Projection("b", "first", "second", wire(5)),
            Projection("c", "input", "second", wire(7), delay=delay, axonal_delay=late),
        ),
        (Injection("input", "x", "spikes"),),
        Readout("second", "membrane"),
    )


def pulse() -> dict[int, np.ndarray]:
    return {0: np.array([1, 0, 0], dtype=np.int32).reshape(1, 3, 1, 1, 1)}


def test_a_shortcut_with_the_right_delay_meets_the_long_path():
    assert run_reference(chain(1), pulse()).membranes["second"].ravel().tolist() == [768] * 3


@pytest.mark.parametrize(("delay", "late"), [(2, None), (1, np.array([1])), (0, np.array([2]))])
def test_a_longer_delay_arrives_later(delay: int, late: np.ndarray | None):
    membranes = run_reference(chain(delay, late), pulse()).membranes["second"].ravel().tolist()
    assert membranes == [5 << 6, 12 << 6, 12 << 6]


def test_a_shorter_delay_arrives_before_the_reset_and_is_lost():
    membranes = run_reference(chain(0), pulse()).membranes["second"].ravel().tolist()
    assert membranes == [5 << 6] * 3


def test_one_chip_step_per_synapse():
    chip = ReferenceChip(chain(1))
    for _ in range(3):
        chip.step({0: np.ones((1, *ONE), dtype=np.int32)})
    sent = {name: [payload.item() for payload in steps] for name, steps in chip.sent.items()}
    assert sent == {"input": [1, 1, 1], "first": [0, 1, 1], "second": [0, 0, 0]}
    assert chip.state["second"]["v"].item() == 12 << 6


def test_bias_does_not_run_before_the_window():
    """A population at depth 2 starts from zero at its first aligned step."""
    network = Network(
        2,
        (make_population("late", ONE, "integrator", bias=np.array([3]), bias_exponent=6, depth=2),),
        (),
        (Injection("late", "x", "bias", exponent=2),),
        Readout("late", "membrane"),
    )
    activity = run_reference(network, {0: np.array([1, -1], dtype=np.int32).reshape(2, 1, 1, 1)})
    assert activity.membranes["late"].reshape(2, 2).tolist() == [[196, 392], [188, 376]]
    assert activity.outputs.tolist() == [[392], [376]]


def test_recurrent_spikes_arrive_one_step_later():
    network = Network(
        5,
        (make_population("ring", ONE, threshold=0, membrane_decay=4096),),
        (Projection("loop", "ring", "ring", wire(), delay=1),),
        (Injection("ring", "x", "graded"),),
        Readout("ring", "count"),
    )
    given = np.array([1, 0, 0, 0, 0], dtype=np.int32).reshape(1, 5, 1, 1, 1)
    activity = run_reference(network, {0: given})
    assert activity.spikes["ring"].ravel().tolist() == [1, 0, 1, 0, 1]
    assert activity.outputs.tolist() == [[3]]


def test_relay_forwards_its_input_shifted_down():
    network = Network(
        1,
        (
            make_population("input", ONE, "input"),
            make_population("relay", ONE, "relay", payload_shift=1, payload_bound=2, depth=1),
        ),
        (Projection("a", "input", "relay", wire(-7)),),
        (Injection("input", "x", "spikes"),),
    )
    activity = run_reference(network, {0: np.ones((1, 1, *ONE), dtype=np.int32)})
    assert activity.spikes["relay"].ravel().tolist() == [-4]
    assert activity.spikes["relay"].dtype == np.int32
    assert activity.spike_counts["relay"].tolist() == [[1]]
    assert activity.outputs.shape == (1, 0)
    assert activity.warnings == ("relay: 1 payloads beyond the declared bound of 2",)


# --- refusals ---


@pytest.mark.parametrize(
    ("injected", "message"),
    [
        ({}, "injection 0 (spikes) into 'input' got no values; give an array for every injection"),
        (
            {0: np.ones((1, 2, 1, 1, 1), dtype=np.int32)},
            "injection 0 (spikes) into 'input' has values of shape (1, 2, 1, 1, 1); "
            "expected (samples, 3, 1, 1, 1)",
        ),
        (
            {0: np.ones((1, 3, 1, 1, 1))},
            "injection 0 (spikes) into 'input' has values of type float64; give integers",
        ),
        (
            {0: np.full((1, 3, 1, 1, 1), 2)},
            "injection 0 (spikes) into 'input' has payloads up to 2; its population declares 1",
        ),
        (
            {**pulse(), 4: np.ones((1, 1, 1, 1), dtype=np.int32)},
            "injection 4 does not exist: the network has 1",
        ),
    ],
)
def test_wrong_host_values(injected: dict[int, np.ndarray], message: str):
    with pytest.raises(DataError) as error:
        run_reference(chain(1), injected)
    assert str(error.value) == message


def test_one_injection_of_spikes_per_input():
    network = chain(1)
    twice = replace(network, injections=network.injections * 2)
    with pytest.raises(DataError) as error:
        run_reference(twice, {0: pulse()[0], 1: pulse()[0]})
    assert str(error.value) == (
        "injection 0 (spikes) into 'input' is not the only one; merge their payloads into one"
    )
