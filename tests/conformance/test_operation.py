"""The conformance kit for operations: one file and one line add one, and nothing may be left out.

Two toys, a linear layer and a function.  The compiler has the first by another way: the toy is put
in its place, and its own passes the same kit.
"""

from __future__ import annotations

import math
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from operation_kit import CHECKS, Toy, declared
from torch import nn
from toy_conv_transpose import CONV_TRANSPOSE
from toy_erf import ERF

from snndeploy import ops
from snndeploy.errors import DeployError, UnsupportedError
from snndeploy.frontend.torch import trace
from snndeploy.graph import Block, Node
from snndeploy.lower.lower import lower
from snndeploy.ops import common, form, kind_of
from snndeploy.ops.kind import Record, Role, Trait, Work

pytestmark = pytest.mark.torch


@pytest.fixture(autouse=True)
def without_its_own(monkeypatch):
    """The compiler before it had a transposed convolution."""
    monkeypatch.delitem(ops.KINDS, ops.CONV_TRANSPOSE.name)


def transposed(module, x):
    """y[o, s * r + u - p] += weight[i, o, u] * x[i, r], one product after the other."""
    weight = module.weight.detach().double().numpy()
    weight = np.rint(weight * 2**12) / 2**12
    (_, outputs, *taps), stride, pad = weight.shape, module.stride, module.padding
    samples, _, rows, columns = x.shape
    size = [(n - 1) * s + k for n, s, k in zip((rows, columns), stride, taps, strict=True)]
    whole = np.zeros((samples, outputs, *size))
    for row, column, a, b in np.ndindex(rows, columns, *taps):
        place = whole[:, :, row * stride[0] + a, column * stride[1] + b]
        place += x[:, :, row, column] @ weight[:, :, a, b]
    cut = whole[:, :, pad[0] : size[0] - pad[0], pad[1] : size[1] - pad[1]]
    return cut + module.bias.detach().double().numpy()[:, None, None]


class Erf(nn.Module):
    def forward(self, x):
        return torch.erf(x)


TOYS = {
    "a linear layer": Toy(
        kind=CONV_TRANSPOSE,
        module=lambda: nn.ConvTranspose2d(3, 2, 3, 2, 1),
        score=lambda: nn.ConvTranspose2d(1, 1, 3, 1, 1),
        gate=lambda layer, x: torch.sigmoid(layer(x.mean(1, keepdim=True))),
        reference=transposed,
        block=None,
        layer=True,
    ),
    "transposed convolution": Toy(
        kind=ops.CONV_TRANSPOSE,
        module=lambda: nn.ConvTranspose2d(3, 2, 3, 2, 1),
        score=lambda: nn.ConvTranspose2d(1, 1, 3, 1, 1),
        gate=lambda layer, x: torch.sigmoid(layer(x.mean(1, keepdim=True))),
        reference=transposed,
        block=None,
        layer=True,
    ),
    "a function": Toy(
        kind=ERF,
        module=Erf,
        score=lambda: nn.Sequential(nn.Linear(3, 3), Erf()),
        gate=lambda layers, x: layers(x.mean((2, 3)))[:, :, None, None],
        reference=lambda module, x: np.vectorize(math.erf)(x),
        block=Block("applies erf to values that are not spikes"),
        layer=False,
    ),
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", TOYS)
def test_a_new_operation(name, check):
    toy = TOYS[name]
    with declared(toy.kind):
        check(toy, toy.kind)


def test_one_that_is_not_declared_is_refused_by_name():
    toy = TOYS["a linear layer"]
    with pytest.raises(UnsupportedError, match=r"conv_transpose2d.input.* does not know it"):
        trace(toy.models["in_encoder"], toy.models["in_encoder"].example())
    with pytest.raises(UnsupportedError, match="operation 'erf' is not declared"):
        kind_of(Node("node", "erf"))


def test_too_large_a_matrix_is_refused_by_name(monkeypatch):
    monkeypatch.setattr("toy_conv_transpose.LARGEST_DENSE", 1000)
    toy = TOYS["a linear layer"]
    with declared(toy.kind), pytest.raises(UnsupportedError) as raised:
        lower(toy.seen("on_chip"), "compose")
    reason = "a transposed convolution that would take 12,150 weights"
    assert raised.value.reason == f"has no single spike-driven kernel: {reason}"


# nothing may be left out


PARTS = {
    "operation": ERF,
    "layer": CONV_TRANSPOSE.chip,
    "cost": CONV_TRANSPOSE.cost,
    "fixed point": CONV_TRANSPOSE.fixed,
    "record": CONV_TRANSPOSE.record,
}
LEFT_OUT = [(part, f.name) for part, whole in PARTS.items() for f in fields(whole)]


@pytest.mark.parametrize("part, name", LEFT_OUT)
def test_what_is_left_out_is_named(part, name):
    """By the constructor, and for what is declared as absent by whoever needs it (below)."""
    whole = PARTS[part]
    said = {f.name: getattr(whole, f.name) for f in fields(whole) if f.name != name}
    with pytest.raises(TypeError, match=f"'{name}'"):
        type(whole)(**said)


# and nothing may be wrong: a declaration with one wrong part does not pass the kit


def always(value):
    return lambda *given: value


def twice(node, inputs, batch, timesteps):
    return 2 * CONV_TRANSPOSE.evaluate(node, inputs, batch, timesteps)


LAYER, COST = CONV_TRANSPOSE.chip, CONV_TRANSPOSE.cost
WRONG_LAYER = {
    "evaluate": twice,
    "axes": always(((("batch", 1),),)),
    "signal": common.same,
    "contracts_time": always(True),
    "blocked": common.possible,
    "traits": Trait.KEEPS_COUNT,
    "fixed": None,
    "record": Record(fewest=1, most=1, rule=always(False)),
    "torch": {},
    "chip.forms": form.unchanged,
    "chip.without_constant": form.adds_nothing,
    "chip.macs": always(1),
    "chip.valid_macs": always(1),
    "cost.summed": common.spikes_added,
    "cost.multiplications": always(0),
    "cost.work": always(Work(0, 0)),
    "fixed.on_grid": True,
    "fixed.terms": None,
    "record.fewest": 2,
    "record.most": 0,
}
WRONG_FUNCTION = {
    "role": Role.PRODUCT,
    "evaluate": lambda node, inputs, batch, timesteps: inputs[0],
    "signal": always(replace(ERF.signal(None, [], []), kind="binary")),
    "blocked": common.possible,
    "chip": common.by_form(form.unchanged),
    "traits": Trait.NONE,
    "fixed": common.ON_GRID,
    "record": Record(fewest=2, most=2, rule=ERF.record.rule),
    "torch": {},
    "cost.summed": common.spikes_added,
    "cost.multiplications": common.one_an_element,
    "cost.work": common.macs_of_results,
}
WRONG = [("a linear layer", at, value) for at, value in WRONG_LAYER.items()]
WRONG += [("a function", at, value) for at, value in WRONG_FUNCTION.items()]


def changed(kind, at, value):
    """The declaration with one part, or part of a part, replaced."""
    part, _, inner = at.partition(".")
    if inner:
        value = replace(getattr(kind, part), **{inner: value})
    return replace(kind, **{part: value})


@pytest.mark.parametrize("name, at, value", WRONG, ids=[f"{name}-{at}" for name, at, _ in WRONG])
def test_what_is_wrong_is_found(name, at, value):
    toy = TOYS[name]
    with pytest.raises((AssertionError, DeployError, TypeError)):
        wrong = changed(toy.kind, at, value)
        with declared(wrong):
            for check in CHECKS:
                check(toy, wrong)
