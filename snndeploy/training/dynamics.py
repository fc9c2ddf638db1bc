"""The chip's neurons over T steps in float64, which holds every integer of theirs.

As `snndeploy.network`, with the derivatives of `training.surrogate`; no derivative goes through the
reset.  rz, wrap24 and sat24 are straight through:

    u = wrap24( rz(u * (4096 - current_decay), 12) + (a << 6) )
    v = sat24( rz(v * (4096 - membrane_decay), 12) + u + bias );  s = v > above;  then the reset
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import torch

from snndeploy.errors import UnsupportedError
from snndeploy.network import Population
from snndeploy.neurons import (
    DECAY_ONE,
    MEMBRANE_MAXIMUM,
    MEMBRANE_SHIFT,
    NO_CURRENT_MEMORY,
    Input,
    Integrator,
    Leaky,
    Lif,
    Relay,
    Reset,
)
from snndeploy.neurons.contract import CURRENT_RANGE
from snndeploy.training.surrogate import spike, straight

UNIT = 1 << MEMBRANE_SHIFT
REGISTERS = {
    Lif: {"membrane_decay", "current_decay", "threshold", "reset", "reset_amount"},
    Integrator: {"membrane_decay", "current_decay"},
    Relay: {"payload_shift", "payload_bound"},
    Input: {"payload_bound"},
}


def require_known(population: Population) -> None:
    """Refuse what these equations do not say.

    Raises:
        UnsupportedError: another neuron, a register of one that is not known here, or attention.
    """
    neuron = population.neuron
    known = REGISTERS.get(type(neuron))
    if known is None:
        raise _refused(population, f"fires by neuron {neuron.name!r}")
    for field in fields(neuron):
        if field.name not in known and getattr(neuron, field.name) != field.default:
            raise _refused(population, f"has {field.name.replace('_', ' ')}")
    if population.attention:
        raise _refused(population, "has attention in the body")


def _refused(population: Population, what: str) -> UnsupportedError:
    return UnsupportedError(
        f"{population.name} {what}, which fine-tuning on integers does not compute; train it before"
        " it is quantized, or leave it out",
        node=population.name,
        reason=what,
    )


def payloads(population: Population, current: Any, bias: Any, width: float) -> tuple[Any, Any]:
    """What a population sends, and its membrane after the last step (None: it has none).

    current: what arrives, a << 6, (samples, steps, C, H, W).  bias: in units of v, (samples, C, H,
    W), its own included.  width: of the surrogate derivative, in thresholds.
    """
    neuron = population.neuron
    if isinstance(neuron, Relay):
        parts = current / (UNIT << neuron.payload_shift)
        return straight(parts, parts.floor()), None
    assert isinstance(neuron, Leaky)
    u = v = torch.zeros_like(current[:, 0])
    sent = []
    for arriving in current.unbind(1):
        u = _wrapped(_decayed(u, neuron.current_decay) + arriving)
        v = _saturated(_decayed(v, neuron.membrane_decay) + u + bias)
        if isinstance(neuron, Lif):
            fired = spike(v, neuron.fires_above, width * max(neuron.fires_above, UNIT))
            v = _reset(neuron, v, fired.detach())
            sent.append(fired)
    return (torch.stack(sent, 1) if sent else torch.zeros_like(current)), v


def _decayed(value: Any, decay: int) -> Any:
    if decay == NO_CURRENT_MEMORY:
        return 0.0
    kept = value * ((DECAY_ONE - decay) / DECAY_ONE)
    return straight(kept, kept.trunc())


def _wrapped(value: Any) -> Any:
    half = CURRENT_RANGE // 2
    return straight(value, half - torch.remainder(half - value, CURRENT_RANGE))


def _saturated(value: Any) -> Any:
    return straight(value, value.clamp(-MEMBRANE_MAXIMUM, MEMBRANE_MAXIMUM))


def _reset(neuron: Lif, v: Any, fired: Any) -> Any:
    if neuron.reset is Reset.HARD:
        return v * (1.0 - fired)
    return v - (neuron.reset_amount << MEMBRANE_SHIFT) * fired
