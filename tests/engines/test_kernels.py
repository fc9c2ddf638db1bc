"""The compiled neurons and the convolutions against plain arithmetic, at the edges."""

from __future__ import annotations

import gc
import itertools
import weakref

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from populations import make_population

from snndeploy.connections import Conv, Dense
from snndeploy.engines import convolution, onednn
from snndeploy.engines.convolution import Synapses, synapses
from snndeploy.engines.layer import Contribution, Layer
from snndeploy.engines.onednn import kernel_name, largest_byte
from snndeploy.errors import DeployError
from snndeploy.network import Network, Population
from snndeploy.neurons import no_overflows

pytestmark = pytest.mark.torch

EDGE = 1 << 23
INPUTS = [0, 1, -1, 63, 32767, 32768, -32768, 131071, 131072, 131073, -131071, -131072, -131073,
          262143, 262144, 393216, -393217, (1 << 25) + 5, -(1 << 30), (1 << 31) - 1]  # fmt: skip
BIASES = [0, 1, -1, EDGE - 1, -EDGE, 3 * EDGE, -(1 << 31), (1 << 40) + 3]
DECAYS = [0, 1, 1024, 2867, 4095, 4096]


def run_layer(population: Population, a: np.ndarray, bias: np.ndarray) -> tuple[Layer, np.ndarray]:
    """a: int64 (steps, neurons) into neurons (neurons, 1, 1); membranes (steps, neurons)."""
    network = Network(a.shape[0], (population,), ())
    layer = Layer(network, population, {}, slice(0, 1))
    layer.bias = np.clip(bias, -(1 << 26), 1 << 26).astype(np.int32)[None]
    bound = int(np.abs(a).max())
    result = layer.advance([Contribution(a, 0, bound)], a.shape[0], True, True)
    assert result.membranes is not None
    return layer, np.concatenate([result.membranes[0], result.payload[0]])


def run_plain(population: Population, a: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, ...]:
    zero = np.zeros((1, *population.shape), dtype=np.int64)
    overflows, membranes, spikes = no_overflows(), [], []
    state, limit = {"u": zero, "v": zero}, population.input_maximum
    for now in a:
        stepped = population.neuron.step(
            state, now.reshape(zero.shape), bias.reshape(zero.shape), limit, overflows
        )
        state = stepped.state
        membranes.append(state["v"].ravel())
        spikes.append(stepped.payload.ravel())
    return overflows, np.array(membranes + spikes)


@pytest.mark.parametrize("current_decay", [4096, 1000, 0])
@pytest.mark.parametrize("reset", ["hard", "soft"])
@pytest.mark.parametrize("kind", ["lif", "integrator"])
def test_neurons_at_the_edges(current_decay: int, reset: str, kind: str):
    pairs = list(itertools.product(INPUTS, BIASES))
    rng = np.random.default_rng(0)
    first = np.array([a for a, _ in pairs], dtype=np.int64)
    a = np.stack([first, rng.permutation(first), rng.permutation(first), first])
    bias = np.array([b for _, b in pairs], dtype=np.int64)
    for decay, threshold in itertools.product(DECAYS, (-1, 0, 500, 131071)):
        population = make_population(
            "p", (len(pairs), 1, 1), kind, threshold, decay, current_decay,
            reset=reset, reset_amount=1000 if reset == "soft" else 0,
            accumulator_bits=18 if threshold else 16,
        )  # fmt: skip
        overflows, plain = run_plain(population, a, bias)
        layer, found = run_layer(population, a, bias)
        np.testing.assert_array_equal(found, plain)
        np.testing.assert_array_equal(layer.overflows, overflows)


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_decay_is_exact_in_32_bits(seed: int):
    """The membrane alone, over its whole range, for every decay."""
    rng = np.random.default_rng(seed)
    a = np.zeros((3, 500), dtype=np.int64)
    bias = np.zeros(500, dtype=np.int64)
    a[0] = rng.integers(-131071, 131072, 500)
    population = make_population("p", (500, 1, 1), "integrator", 0, int(rng.integers(0, 4097)))
    np.testing.assert_array_equal(
        run_layer(population, a, bias)[1], run_plain(population, a, bias)[1]
    )


def test_many_neurons_cross_block_borders():
    rng = np.random.default_rng(0)
    a = rng.integers(-500, 500, (3, 10_001))
    bias = rng.integers(-500, 500, 10_001)
    population = make_population("p", (10_001, 1, 1), threshold=100, membrane_decay=300)
    np.testing.assert_array_equal(
        run_layer(population, a, bias)[1], run_plain(population, a, bias)[1]
    )


# --- synapses ---


def sums_of(
    connection: Conv | Dense, payload: np.ndarray, largest: int
) -> tuple[np.ndarray, np.ndarray]:
    """Sums (images, C', H', W') of the kernels and of the definition; payload (images, C, H, W)."""
    prepared = Synapses(connection, payload.shape[1:])
    found = prepared(np.ascontiguousarray(payload.transpose(0, 2, 3, 1)), largest)
    shifted = found.astype(np.int64) << prepared.exponent
    return shifted.transpose(0, 3, 1, 2), connection.sums(payload)


def test_byte_kernel_is_used_here_and_exact():
    """The self-test's verdict holds for sums as large as can be."""
    rng = np.random.default_rng(0)
    weight = np.full((16, 64, 3, 3), 127, dtype=np.int32)
    weight[8:] = -128
    largest = max(largest_byte(), 1)
    for payload in (np.full((2, 64, 8, 8), largest), rng.integers(0, largest + 1, (2, 64, 8, 8))):
        found, exact = sums_of(Conv(weight, padding=(1, 1)), payload.astype(np.uint8), largest)
        np.testing.assert_array_equal(found, exact)
    assert kernel_name() in ("oneDNN u8s8", "oneDNN u8s8 (binary spikes only)", "torch float32")


@pytest.mark.parametrize(
    ("limit", "largest", "kernel"),
    [
        (127, 1, "bytes"),
        (254, 1, "bytes"),  # even weights: one bit is taken out
        (255, 1, "float32"),
        (127, 40000, "float64"),
        (127, 300, "float32"),
    ],
)
def test_the_kernel_follows_the_worst_case(limit: int, largest: int, kernel: str):
    rng = np.random.default_rng(limit)
    weight = rng.integers(-limit, limit + 1, (8, 6, 3, 3))
    weight[0, 0, 0, 0] = limit
    weight[:, 1:, 0, 0] = limit
    if limit == 254:
        weight = weight // 2 * 2
    kind = np.uint8 if largest == 1 else np.int32
    payload = rng.integers(0 if largest == 1 else -largest, largest + 1, (3, 6, 9, 7)).astype(kind)
    connection = Conv(weight.astype(np.int32), stride=(2, 1), padding=(1, 2))
    found, exact = sums_of(connection, payload, largest)
    np.testing.assert_array_equal(found, exact)
    prepared = synapses(connection, (6, 9, 7))
    prepared(np.ascontiguousarray(payload.transpose(0, 2, 3, 1)), largest)
    expected = "float32" if kernel == "bytes" and not largest_byte() else kernel
    assert list(prepared._prepared) == [expected]


def test_pooled_dense_sums_bytes_and_more():
    rng = np.random.default_rng(0)
    for pool, largest in (((2, 3), 1), ((7, 9), 1), ((7, 9), 200), ((1, 1), 3)):
        shape = (5, 4, 7 // pool[0], 9 // pool[1])
        connection = Dense(rng.integers(-128, 128, shape).astype(np.int32), pool)
        payload = rng.integers(0, largest + 1, (3, 4, 7, 9)).astype(np.uint8)
        found, exact = sums_of(connection, payload, largest)
        np.testing.assert_array_equal(found, exact)


def test_sums_beyond_float64_are_refused():
    connection = Dense(np.full((1, 1, 1, 1), (1 << 31) - 1, dtype=np.int64))
    payload = np.full((1, 1, 1, 1), (1 << 31) - 1, dtype=np.int32)
    with pytest.raises(DeployError, match=r"more than 2\^53 is not exact"):
        sums_of(connection, payload, (1 << 31) - 1)


def test_a_missing_byte_kernel_is_survived(monkeypatch: pytest.MonkeyPatch):
    def absent(*_: object) -> None:
        raise AttributeError("no such operator")

    monkeypatch.setattr(onednn, "packed_conv", absent)
    largest_byte.cache_clear()
    try:
        assert largest_byte() == 0
        assert kernel_name() == "torch float32"
    finally:
        largest_byte.cache_clear()


def test_an_inexact_byte_kernel_is_refused(monkeypatch: pytest.MonkeyPatch):
    """A kernel that saturates 16-bit pairs, as AVX2 without VNNI would, serves spikes only."""
    original = onednn.packed_conv

    def saturating(*arguments: object) -> onednn.Sums:
        sums = original(*arguments)  # type: ignore[arg-type]
        return lambda payload: sums(payload) - float(payload.max() > 1)

    monkeypatch.setattr(onednn, "packed_conv", saturating)
    largest_byte.cache_clear()
    try:
        assert largest_byte() == 1
    finally:
        largest_byte.cache_clear()


@pytest.mark.parametrize(
    ("source", "weight", "stride", "padding", "dilation", "groups"),
    [
        ((1, 6, 4), (4, 1, 1, 2), (1, 3), (0, 0), (1, 1), 1),
        ((3, 8, 3), (12, 1, 2, 2), (1, 2), (0, 0), (1, 1), 3),
        ((37, 19, 5), (148, 1, 5, 3), (1, 3), (0, 0), (1, 1), 37),
        ((2, 1, 1), (4, 1, 2, 2), (1, 3), (1, 1), (1, 1), 2),
        ((2, 5, 1), (8, 1, 3, 1), (3, 2), (1, 1), (2, 2), 2),  # crashed
        ((3, 3, 1), (3, 3, 2, 1), (3, 2), (0, 1), (2, 2), 1),  # crashed
    ],
)
def test_geometries_that_onednn_got_wrong(
    source: tuple[int, int, int], weight: tuple[int, int, int, int], stride: tuple[int, int],
    padding: tuple[int, int], dilation: tuple[int, int], groups: int,
):  # fmt: skip
    rng = np.random.default_rng(0)
    mantissas = rng.integers(-128, 128, weight).astype(np.int32)
    connection = Conv(mantissas, stride, padding, dilation, groups)
    assert not onednn.is_sound(connection, source)
    for images in (1, 8, 17):
        payload = rng.integers(0, 2, (images, *source)).astype(np.uint8)
        found, exact = sums_of(connection, payload, 1)
        np.testing.assert_array_equal(found, exact)


def test_each_geometry_is_tried_before_it_is_trusted(monkeypatch: pytest.MonkeyPatch):
    original = onednn.packed_conv

    def wrong(*arguments: object) -> onednn.Sums:
        sums = original(*arguments)  # type: ignore[arg-type]
        return lambda payload: sums(payload) + 1

    assert largest_byte() >= 0  # the self-test has passed before the kernel goes wrong
    monkeypatch.setattr(onednn, "tried", {})
    monkeypatch.setattr(onednn, "packed_conv", wrong)
    connection = Conv(np.ones((4, 4, 3, 3), dtype=np.int32))
    found, exact = sums_of(connection, np.ones((2, 4, 6, 6), dtype=np.uint8), 1)
    np.testing.assert_array_equal(found, exact)


@pytest.mark.parametrize(("rate", "gathered"), [(0.01, True), (0.5, False)])
def test_few_spikes_are_gathered(rate: float, gathered: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    monkeypatch.setattr(convolution, "_has_amx", lambda: False)
    rng = np.random.default_rng(0)
    weight = rng.integers(-128, 128, (64, 16, 3, 3)).astype(np.int32)
    connection = Conv(weight, stride=(2, 1), padding=(1, 0), dilation=(1, 2))
    payload = (rng.random((3, 16, 12, 10)) < rate).astype(np.uint8)
    found, exact = sums_of(connection, payload, 1)
    np.testing.assert_array_equal(found, exact)
    prepared = Synapses(connection, payload.shape[1:])
    prepared(np.ascontiguousarray(payload.transpose(0, 2, 3, 1)), 1)
    assert ("_rows" in vars(prepared.form)) == gathered


def test_prepared_weights_are_freed_with_their_connection():
    connection = Conv(np.ones((2, 2, 1, 1), dtype=np.int32))
    prepared = weakref.ref(synapses(connection, (2, 3, 3)))
    assert synapses(connection, (2, 3, 3)) is prepared()
    del connection
    gc.collect()
    assert prepared() is None


def test_torch_threads_are_left_alone():
    before = torch.get_num_threads()
    assert kernel_name()
    assert torch.get_num_threads() == before


def test_with_another_torch_each_geometry_is_tried_in_float32_first(monkeypatch):
    """A release with a float32 convolution that errs falls back to float64, and sums stay exact."""
    rng = np.random.default_rng(4)
    conv = Conv(rng.integers(-128, 128, (5, 3, 3, 3)), (1, 1), (1, 1), (1, 1), 1)
    image = rng.integers(0, 2, (2, 7, 6, 3)).astype(np.uint8)
    expected = conv.sums(image.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1)
    monkeypatch.setattr(onednn, "TESTED_TORCH", ("1.0",))
    monkeypatch.setattr(onednn, "tried", {})
    monkeypatch.setattr(onednn, "largest_byte", lambda: 0)
    assert not onednn.torch_is_tested() and onednn.is_sound(conv, (3, 7, 6))
    assert np.array_equal(Synapses(conv, (3, 7, 6))(image, 1), expected)

    true = onednn.float_conv

    def erring(weight, conv, kind):
        sums = true(weight, conv, kind)
        return lambda x: sums(x) + (1 if kind == torch.float32 else 0)

    monkeypatch.setattr(onednn, "float_conv", erring)
    onednn.tried.clear()
    assert not onednn.is_sound(conv, (3, 7, 6))
    assert np.array_equal(Synapses(conv, (3, 7, 6))(image, 1), expected)
