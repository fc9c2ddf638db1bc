"""Transposed connections: what follows or precedes one is one kernel again, or refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from real_evaluator import connect

from snndeploy.connections import Conv, Dense, Transposed
from snndeploy.connections.algebra import NotComposable, compose_conv, compose_dense
from snndeploy.connections.transposed import sources_first
from snndeploy.connections.transposing import compose_transposed, upsampling

pytestmark = pytest.mark.torch

CUT = "the outer layer pads with zeros where the inner one's result is cut off"


def taps(draw, outputs, inputs, groups):
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    kernel = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    return rng.integers(-4, 5, (outputs, inputs // groups, *kernel)).astype(float)


@st.composite
def transposed(draw, inputs=4):
    groups, stride = draw(st.sampled_from([1, 2, 4])), draw(st.tuples(*[st.integers(1, 3)] * 2))
    weight = taps(draw, 4, inputs, groups)
    cut = tuple(draw(st.integers(0, size - 1)) for size in weight.shape[2:])
    extra = tuple(draw(st.integers(0, step - 1)) for step in stride)
    return Transposed(weight, stride, cut, extra, groups)


@st.composite
def conv(draw, inputs=4):
    groups = draw(st.sampled_from([1, 2, 4]))
    pairs = st.tuples(*[st.integers(0, 3)] * 2), st.tuples(*[st.integers(1, 2)] * 2)
    padding, dilation = (draw(pair) for pair in pairs)
    return Conv(taps(draw, 4, inputs, groups), (1, 1), padding, dilation, groups)


def spikes(source, seed):
    return np.random.default_rng(seed).integers(-3, 4, (2, 1, *source)).astype(float)


SOURCES = st.tuples(st.just(4), st.integers(1, 4), st.integers(1, 4))


@settings(max_examples=150, deadline=None)
@given(transposed(), conv(), SOURCES, st.integers(0, 99))
def test_a_convolution_behind_one(inner, outer, source, seed):
    middle = inner.output_shape(source)
    if min(middle[1:]) < 1 or min(outer.output_shape(middle)[1:]) < 1:
        return
    x = spikes(source, seed)
    try:
        found = compose_conv(outer, inner, source)
    except NotComposable as reason:
        assert str(reason) == CUT
        assert any(p and c for p, c in zip(outer.padding, inner.padding, strict=True))
        return
    assert found.fault(source) == ""
    assert found.output_shape(source) == outer.output_shape(middle)
    np.testing.assert_array_equal(connect(found, x), connect(outer, connect(inner, x)))


@settings(max_examples=100, deadline=None)
@given(transposed(), transposed(), SOURCES, st.integers(0, 99))
def test_one_behind_another(inner, outer, source, seed):
    middle = inner.output_shape(source)
    if min(middle[1:]) < 1 or min(outer.output_shape(middle)[1:]) < 1:
        return
    x = spikes(source, seed)
    try:
        found = compose_transposed(outer, inner)
    except NotComposable as reason:
        assert str(reason) == "a transposed convolution behind one whose result is cut off"
        assert any(inner.padding)
        return
    assert found.fault(source) == ""
    np.testing.assert_array_equal(connect(found, x), connect(outer, connect(inner, x)))


@settings(max_examples=60, deadline=None)
@given(transposed(), SOURCES, st.integers(0, 99))
def test_a_dense_layer_behind_one(inner, source, seed):
    middle = inner.output_shape(source)
    if min(middle[1:]) < 1:
        return
    weight = np.random.default_rng(seed).integers(-4, 5, (3, *middle)).astype(float)
    x = spikes(source, seed)
    found = compose_dense(weight, inner, source)
    np.testing.assert_array_equal(connect(found, x), connect(Dense(weight), connect(inner, x)))


@settings(max_examples=40, deadline=None)
@given(transposed(), st.sampled_from([1, 2, 4]), SOURCES, st.integers(0, 99))
def test_one_behind_a_layer_of_each_position(outer, groups, source, seed):
    rng = np.random.default_rng(seed)
    inner = Conv(rng.integers(-4, 5, (4, 4 // groups, 1, 1)).astype(float), groups=groups)
    if min(outer.output_shape(source)[1:]) < 1:
        return
    x = spikes(source, seed)
    found = compose_transposed(outer, inner)
    np.testing.assert_array_equal(connect(found, x), connect(outer, connect(inner, x)))


def test_a_convolution_behind_repeated_values_has_no_more_taps_than_it_reaches():
    """A spike of an upsampled plane is four values; a 3x3 kernel reads it from 4x4 places."""
    found = compose_conv(
        Conv(np.ones((5, 4, 3, 3)), padding=(1, 1)), upsampling(4, (2, 2)), (4, 6, 6)
    )
    assert found.weight.shape == (5, 4, 4, 4)
    assert found.output_shape((4, 6, 6)) == (5, 12, 12)
    assert found.weight[0, 0].tolist() == [[1, 2, 2, 1], [2, 4, 4, 2], [2, 4, 4, 2], [1, 2, 2, 1]]


def test_what_has_no_common_kernel():
    up, wide = upsampling(2, (2, 2)), Conv(np.ones((2, 2, 3, 3)))
    with pytest.raises(NotComposable, match="a convolution with a stride behind a transposed one"):
        compose_conv(Conv(wide.weight, (2, 2)), up, (2, 4, 4))
    with pytest.raises(NotComposable, match="behind one that reads several positions"):
        compose_transposed(up, wide)
    with pytest.raises(NotComposable, match="a transposed convolution behind connection 'dense'"):
        compose_transposed(up, Dense(np.ones((2, 2, 4, 4))))


def test_the_kernel_s_layout_there_and_back():
    weight = np.arange(6 * 2 * 2 * 3).reshape(6, 2, 2, 3)
    turned = sources_first(weight, 2)
    assert turned.shape == (4, 3, 2, 3)
    assert turned[3, 2].tolist() == weight[5, 1].tolist()
    assert np.array_equal(sources_first(turned, 2), weight)


def test_what_a_stored_one_must_satisfy():
    weight = np.ones((4, 2, 2, 2))
    assert Transposed(weight, (2, 2), extra=(1, 1)).fault((2, 3, 3)) == ""
    assert Transposed(weight, (2, 2), extra=(2, 0)).fault((2, 3, 3)) == (
        "cuts off 0 of a kernel of 2, or adds 2 at stride 2"
    )
    assert "cuts off 2" in Transposed(weight, padding=(0, 2)).fault((2, 3, 3))
    assert Transposed(weight).fault((3, 3, 3)) == "reads (2,), its source has (3,)"
