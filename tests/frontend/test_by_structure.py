"""A published state dict and a twin: what shapes and order prove, and what they leave open."""

from __future__ import annotations

import pytest
import torch

from snndeploy.frontend.by_structure import by_structure

pytestmark = pytest.mark.torch


def tensors(**shapes):
    return {
        name.replace("__", "."): torch.full(shape, float(count))
        for count, (name, shape) in enumerate(shapes.items(), start=1)
    }


PUBLISHED = tensors(
    conv1__weight=(4, 3, 3, 3), layer1__0__weight=(8, 4, 3, 3), layer1__1__weight=(8, 8, 3, 3),
    layer1__2__weight=(8, 8, 3, 3), fc__weight=(2, 8), fc__bias=(2,),
    gate__0__weight=(3, 6, 1, 1, 1), gate__2__weight=(6, 3, 1, 1, 1),
)  # fmt: skip
TWIN = tensors(
    encoder__stem__weight=(4, 3, 3, 3), encoder__mlp__0__weight=(3, 6),
    encoder__mlp__2__weight=(6, 3), body__0__weight=(8, 4, 3, 3), body__1__weight=(8, 8, 3, 3),
    body__2__weight=(8, 8, 3, 3), head__weight=(2, 8), head__bias=(2,),
)  # fmt: skip


def values(found):
    return {name: float(value.flatten()[0]) for name, value in found.items()}


def test_blocks_may_stand_elsewhere_and_keep_their_order():
    found, said = by_structure(PUBLISHED, TWIN)
    assert list(values(found).values()) == [1, 7, 8, 2, 3, 4, 5, 6]
    assert {name: value.shape for name, value in found.items()} == {
        name: value.shape for name, value in TWIN.items()
    }
    assert said == (
        "its names are not the model's; all 8 tensors were matched by shape and order,"
        " conv1.weight with encoder.stem.weight to fc.bias with head.bias; thresholds and leaks are"
        " not in it, and stay the model's"
    )


def test_names_that_share_a_tensor_count_once():
    twice = {**PUBLISHED, "conv1_s.layer.weight": PUBLISHED["conv1.weight"]}
    assert values(by_structure(twice, TWIN)[0]) == values(by_structure(PUBLISHED, TWIN)[0])


@pytest.mark.parametrize(
    "change",
    [
        {"fc__bias": (3,)},
        {"extra__weight": (1,)},
        {"layer1__1__weight": (8, 4, 3, 3)},
    ],
)
def test_another_shape_is_no_proof(change):
    assert by_structure({**PUBLISHED, **tensors(**change)}, TWIN) is None


def test_an_order_inside_a_block_is_no_proof():
    moved = dict(reversed(PUBLISHED.items()))
    assert by_structure(moved, TWIN) is None


def test_two_orders_are_no_proof():
    """a, b + c or c + a, b: both have the shapes."""
    state = tensors(a__weight=(2, 2), b__0__weight=(2, 2), b__1__weight=(2, 2))
    needed = tensors(x__weight=(2, 2), y__weight=(2, 2), z__weight=(2, 2))
    assert by_structure(state, needed) is None


def test_a_leaf_of_another_name_is_no_proof():
    state = tensors(a__running_mean=(2,), a__running_var=(2,))
    assert by_structure(state, tensors(b__running_var=(2,), b__running_mean=(2,))) is None
