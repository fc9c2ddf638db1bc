"""Conventions: named, changed key by key, and said in words."""

from __future__ import annotations

import pytest

from snndeploy.costs import CONVENTIONS, GAC_EQUATION_11, S1, Convention, parse_convention
from snndeploy.errors import DeployError


def test_names():
    assert {name: parse_convention(name) for name in CONVENTIONS} == CONVENTIONS
    assert parse_convention("default") == Convention()
    assert (parse_convention("s1"), parse_convention("gac")) == (S1, GAC_EQUATION_11)


def test_keys_change_a_named_one_or_the_default():
    assert parse_convention("gac, rate=own") == Convention(
        first_layer="once", rate="own", shortcuts="ac", encoder_attention="excluded"
    )
    assert parse_convention("first-layer=every-step,ac-pj=0.1") == Convention(ac_pj=0.1)
    assert parse_convention("operations=exact,attention=exact") == CONVENTIONS["exact"]


@pytest.mark.parametrize(
    "text, said",
    [
        ("gca", "there is no convention 'gca', did you mean 'gac'? (it is one of default, s1, gac,"
         " no-encoder, exact, or KEY=VALUE with a key of first_layer, rate, shortcuts, encoder,"
         " encoder_attention, constant_attention, operations, attention, refinement, mac_pj,"
         " ac_pj)"),
        ("gac,rates=own", "a convention has no 'rates', did you mean 'rate'? (its keys are"
         " first_layer, rate, shortcuts, encoder, encoder_attention, constant_attention,"
         " operations, attention, refinement, mac_pj, ac_pj)"),
        ("exact,refinement=per-layer", "attention=exact counts every product, so it cannot count"
         " one refinement a layer; leave refinement=per_layer or attention=exact out"),
        ("rate=mine", "convention rate='mine': it is driving or own"),
        ("ac-pj=-1", "convention ac_pj='-1': it is a price in pJ, zero or more"),
        ("ac-pj=nan", "convention ac_pj='nan': it is a price in pJ, zero or more"),
        ("ac-pj=cheap", "convention ac_pj='cheap': it is a price in pJ, zero or more"),
    ],
)  # fmt: skip
def test_refusals(text, said):
    with pytest.raises(DeployError) as refused:
        parse_convention(text)
    assert str(refused.value) == said


def test_every_argument_is_in_the_words():
    words = {str(Convention())}
    for changed in (
        Convention(first_layer="once"), Convention(rate="own"), Convention(shortcuts="ac"),
        Convention(encoder="excluded"), Convention(encoder_attention="excluded"),
        Convention(operations="exact"), Convention(attention="exact"), Convention(mac_pj=1.0),
        Convention(ac_pj=0.5), Convention(constant_attention="every_step"),
        Convention(refinement="per_layer"),
    ):  # fmt: skip
        assert str(changed) not in words
        words.add(str(changed))
