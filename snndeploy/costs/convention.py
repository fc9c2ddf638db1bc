"""Convention: how the papers' energy formula is read, every contradiction an argument.

Each field names the contradiction of the papers that it settles (docs/costs.md lists them).  A
total is never printed without its convention.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from math import isfinite
from typing import Any, Literal, get_args, get_type_hints

from snndeploy.errors import DeployError, near_names

MAC_PJ = 4.6  # 45 nm, 32-bit floats (Horowitz 2014), in all five papers
AC_PJ = 0.9


@dataclass(frozen=True)
class Convention:
    """How to count, and at what price.

    first_layer: T * FL * phi_0 (S1), or FL once (GAC Eq. 11; true only of a constant input).
    rate: a layer works at the rate of the neurons that drive it (S1), or of its own (GAC).
    operations: FL * rate as printed, or events: spikes times the synapses that they meet.
    shortcuts: layers that read real membranes multiply, or are counted as accumulates (papers).
    encoder: the first layers' work is part of the total, or left out (MA Table 3).
    encoder_attention: so is GAC's gated attention, which GAC Eq. 11 leaves out.
    constant_attention: gated attention of a constant input is computed once, or at every step.
    attention: what the papers count of attention, or every multiplication that it takes.
    refinement: T * neurons for each gate that a value passes (MA-S section 1), or once for each
        attended layer, however many gates there are (MA Table 3).

    Raises:
        DeployError: exact attention with one refinement a layer: exact counts every product.
    mac_pj, ac_pj: price of a multiply-accumulate and of an accumulate.
    """

    first_layer: Literal["every_step", "once"] = "every_step"  # C4
    rate: Literal["driving", "own"] = "driving"  # C5
    shortcuts: Literal["mac", "ac"] = "mac"  # C21
    encoder: Literal["included", "excluded"] = "included"  # C24
    encoder_attention: Literal["included", "excluded"] = "included"  # C20
    constant_attention: Literal["once", "every_step"] = "once"
    operations: Literal["formula", "exact"] = "formula"
    attention: Literal["paper", "exact"] = "paper"  # C7
    refinement: Literal["per_gate", "per_layer"] = "per_gate"
    mac_pj: float = MAC_PJ
    ac_pj: float = AC_PJ

    def __post_init__(self) -> None:
        if self.attention == "exact" and self.refinement == "per_layer":
            raise DeployError(
                "attention=exact counts every product, so it cannot count one refinement a layer;"
                " leave refinement=per_layer or attention=exact out"
            )

    def __str__(self) -> str:
        counted = "by formula" if self.operations == "formula" else "as exact events"
        attention = "as the papers count it" if self.attention == "paper" else "exactly"
        if self.refinement == "per_layer":
            attention += " with one refinement a layer"
        gated: str = self.encoder_attention
        if self.constant_attention == "every_step":
            gated += " at every step"
        return (
            f"first layer {self.first_layer.replace('_', ' ')}, {self.rate} rates, operations"
            f" {counted}, membrane shortcuts as {self.shortcuts.upper()}, encoder {self.encoder},"
            f" encoder attention {gated}, attention {attention},"
            f" {self.mac_pj:g} pJ a MAC and {self.ac_pj:g} pJ an AC"
        )


GAC_EQUATION_11 = Convention(first_layer="once", shortcuts="ac", encoder_attention="excluded")
S1 = Convention(shortcuts="ac")

CONVENTIONS = {
    "default": Convention(),
    "s1": S1,
    "gac": GAC_EQUATION_11,
    "no-encoder": Convention(encoder="excluded"),
    "exact": Convention(operations="exact", attention="exact"),
}


def parse_convention(text: str) -> Convention:
    """NAME, or KEY=VALUE pairs, or NAME,KEY=VALUE,...: `gac,rate=own` or `ac-pj=0.1`.

    Raises:
        DeployError: no such name, key or value.
    """
    first, *rest = [part.strip() for part in text.split(",")]
    if "=" in first:
        return _changed(CONVENTIONS["default"], [first, *rest])
    if first not in CONVENTIONS:
        raise DeployError(
            f"there is no convention {first!r}{near_names(first, CONVENTIONS)} (it is one of"
            f" {', '.join(CONVENTIONS)}, or KEY=VALUE with a key of {', '.join(_keys())})"
        )
    return _changed(CONVENTIONS[first], rest)


def _changed(convention: Convention, pairs: list[str]) -> Convention:
    for pair in pairs:
        key, _, value = pair.partition("=")
        name = key.strip().replace("-", "_")
        if name not in _keys():
            raise DeployError(
                f"a convention has no {key.strip()!r}{near_names(name, _keys())} (its keys are"
                f" {', '.join(_keys())})"
            )
        convention = replace(convention, **{name: _value(name, value.strip())})
    return convention


def _value(name: str, text: str) -> Any:
    choices = get_args(_keys()[name])
    if choices:
        value = text.replace("-", "_")
        if value not in choices:
            raise DeployError(
                f"convention {name}={text!r}: it is {' or '.join(choices)}"
                f"{near_names(value, choices)}"
            )
        return value
    try:
        price = float(text)
    except ValueError:
        price = -1.0
    if not isfinite(price) or price < 0:
        raise DeployError(f"convention {name}={text!r}: it is a price in pJ, zero or more")
    return price


def _keys() -> dict[str, Any]:
    hints = get_type_hints(Convention)
    return {field.name: hints[field.name] for field in fields(Convention)}
