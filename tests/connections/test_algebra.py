"""Algebra of connections: the composed kernel computes exactly what the two layers do."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from real_evaluator import connect

from snndeploy.connections import Conv, Dense
from snndeploy.connections.algebra import (
    NotComposable,
    average_pool,
    compose_conv,
    compose_dense,
    identity,
    is_identity,
    is_pooling,
    scale_outputs,
    sum_of,
    symmetric,
)

pytestmark = pytest.mark.torch

PADS = "the outer layer pads with zeros where the inner one's result would not be zero"


def random_conv(draw, inputs, rng):
    groups = draw(st.sampled_from([1, 2, inputs]))
    outputs = inputs if groups == inputs else draw(st.sampled_from([2, 4]))
    kernel = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    pair = st.tuples(st.integers(1, 2), st.integers(1, 2))
    return Conv(
        rng.integers(-4, 5, (outputs, inputs // groups, *kernel)).astype(float),
        draw(pair),
        (draw(st.integers(0, 2)), draw(st.integers(0, 2))),
        draw(pair),
        groups,
    )


@settings(max_examples=300)
@given(st.data())
def test_two_convolutions_as_one(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**31)))
    source = (4, data.draw(st.integers(4, 9)), data.draw(st.integers(4, 9)))
    inner = data.draw(st.sampled_from([0, 1, 1, 1])) and random_conv(data.draw, 4, rng)
    inner = inner or average_pool(4, (2, 2), data.draw(st.sampled_from([(1, 1), (2, 2)])))
    middle = inner.output_shape(source)
    if min(middle[1:]) < 1:
        return
    outer = random_conv(data.draw, middle[0], rng)
    if min(outer.output_shape(middle)[1:]) < 1:
        return
    x = rng.integers(-3, 4, (2, 1, *source)).astype(float)
    wanted = connect(outer, connect(inner, x))
    try:
        composed = compose_conv(outer, inner, source)
    except NotComposable as reason:
        assert str(reason) in (PADS, "the composed kernel has another output size")
        assert outer.padding != (0, 0)
        return
    assert composed.output_shape(source) == outer.output_shape(middle)
    np.testing.assert_array_equal(connect(composed, x), wanted)


@settings(max_examples=100)
@given(st.data())
def test_a_dense_layer_behind_a_convolution(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**31)))
    source = (4, data.draw(st.integers(4, 7)), data.draw(st.integers(4, 7)))
    inner = random_conv(data.draw, 4, rng)
    if data.draw(st.booleans()):
        window = data.draw(st.sampled_from([(2, 2), (3, 2)]))
        inner = average_pool(4, window, window)
    middle = inner.output_shape(source)
    if min(middle[1:]) < 1:
        return
    weight = rng.integers(-4, 5, (3, *middle)).astype(float)
    composed = compose_dense(weight, inner, source)
    assert (composed.pool != (1, 1)) == is_pooling(inner) or inner.stride == (1, 1)
    x = rng.integers(-3, 4, (2, 1, *source)).astype(float)
    np.testing.assert_allclose(
        connect(composed, x), connect(Dense(weight), connect(inner, x)), atol=1e-9
    )


def test_a_dense_layer_behind_a_dense_layer():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(5, 2, 2, 2)), rng.normal(size=(3, 5, 1, 1))
    composed = compose_dense(second, Dense(first, (2, 2)), (2, 4, 4))
    x = rng.normal(size=(2, 1, 2, 4, 4))
    wanted = connect(Dense(second), connect(Dense(first, (2, 2)), x))
    np.testing.assert_allclose(connect(composed, x), wanted)


@pytest.mark.parametrize("padding", [(0, 1, 0, 1), (2, 0, 1, 3), (1, 2, 1, 2)])
@pytest.mark.parametrize("dilation", [(1, 1), (3, 2)])
@pytest.mark.parametrize("stride", [(1, 1), (2, 2)])
def test_uneven_padding_becomes_zero_taps(padding, dilation, stride):
    rng = np.random.default_rng(0)
    weight, x = rng.integers(-3, 4, (2, 3, 2, 3)).astype(float), rng.integers(-3, 4, (1, 3, 9, 9))
    top, bottom, left, right = padding
    padded = torch.nn.functional.pad(torch.tensor(x).double(), (left, right, top, bottom))
    wanted = torch.nn.functional.conv2d(
        padded, torch.tensor(weight), stride=stride, dilation=dilation
    )
    kernel, even, spread = symmetric(weight, padding, dilation)
    found = connect(Conv(kernel, stride, even, spread), x[None].astype(float))
    np.testing.assert_array_equal(found[0], wanted.numpy())


def test_identities():
    one = identity(3)
    assert is_identity(one) and is_pooling(one)
    assert not is_identity(scale_outputs(one, np.asarray(2.0)))
    assert is_pooling(average_pool(3, (2, 2), (2, 2)))
    assert not is_pooling(average_pool(3, (2, 2), (1, 1)))
    conv = Conv(np.ones((2, 3, 3, 3)), padding=(1, 1))
    assert compose_conv(conv, one, (3, 8, 8)) is conv  # shared by every source it reads directly


def test_sums_of_equal_forms():
    conv = Conv(np.ones((2, 3, 3, 3)), padding=(1, 1))
    both = sum_of(conv, scale_outputs(conv, np.array([1.0, -1.0])))
    assert both.weight[:, 0, 0, 0].tolist() == [2.0, 0.0]
    assert sum_of(conv, Conv(conv.weight)) is None
    assert sum_of(conv, Dense(np.ones((2, 3, 3, 3)))) is None
    dense = Dense(np.ones((2, 3, 3, 3)), (2, 2))
    assert sum_of(dense, dense).weight[0, 0, 0, 0] == 2.0
    assert sum_of(dense, Dense(dense.weight)) is None


def test_what_has_no_common_kernel():
    conv = Conv(np.ones((2, 2, 3, 3)), padding=(1, 1))
    with pytest.raises(NotComposable, match=PADS):
        compose_conv(conv, conv, (2, 8, 8))
    with pytest.raises(NotComposable, match="a convolution behind a dense layer"):
        compose_conv(conv, Dense(np.ones((2, 2, 8, 8))), (2, 8, 8))
    with pytest.raises(NotComposable, match="the composed dense layer would have 62,500,000"):
        compose_dense(np.ones((1000, 2, 248, 248)), Conv(np.ones((2, 1, 3, 3))), (1, 250, 250))
