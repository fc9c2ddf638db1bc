"""Populations with their neuron's registers named beside their own fields, as tests like them."""

from __future__ import annotations

import dataclasses
from typing import Any

from snndeploy.connections import Shape
from snndeploy.network import Population
from snndeploy.neurons import NEURONS, Reset, WhileRefractory

OWN = {field.name for field in dataclasses.fields(Population)}


def make_population(
    name: str, shape: Shape, kind: str = "lif", *leading: int, **values: Any
) -> Population:
    """A population of neurons of `kind`; registers that another kind has are no mistake here.

    leading: threshold, membrane_decay and current_decay.
    """
    values |= dict(zip(("threshold", "membrane_decay", "current_decay"), leading, strict=False))
    known = {field.name for field in dataclasses.fields(NEURONS[kind])}
    registers = {key: value for key, value in values.items() if key not in OWN}
    rest = {key: value for key, value in values.items() if key in OWN}
    mine = {key: value for key, value in registers.items() if key in known}
    for key, choice in (("reset", Reset), ("refractory_input", WhileRefractory)):
        if key in mine:
            mine[key] = choice(mine[key])
    return Population(name, shape, NEURONS[kind](**mine), **rest)


def altered(old: Population, **changes: Any) -> Population:
    """A copy with other fields, or other registers; `kind` keeps the registers that fit it."""
    kind = changes.pop("kind", old.neuron.name)
    registers = {f.name: getattr(old.neuron, f.name) for f in dataclasses.fields(old.neuron)}
    own = {key: getattr(old, key) for key in OWN - {"name", "shape", "neuron"}}
    values = {**registers, **own, **changes}
    name, shape = values.pop("name", old.name), values.pop("shape", old.shape)
    return make_population(name, shape, kind, **values)
