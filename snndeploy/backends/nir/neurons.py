"""A trained neuron as a NIR neuron in Euler steps of DT, and the gain that its input needs.

    decay 1                 IF        R = 1
    decay d                 LIF       tau = DT / (1 - d), R = 1: the input is divided by 1 - d
    with a current, decay a CubaLIF   tau_syn = DT / (1 - a), w_in = tau_syn / DT, R = tau / DT

Readers differ on R of a LIF (Norse ignores it) and agree where it is 1; of a CubaLIF snnTorch
reads this form alone.  NIR fires above its threshold: where the model fires at it, the threshold
is the next smaller 32-bit number, which 32-bit membranes cannot tell from it.
"""

from __future__ import annotations

from typing import Any

import nir
import numpy as np

from snndeploy.errors import UnsupportedError
from snndeploy.graph import Node
from snndeploy.neurons import FiresAt, Reset, equation_of
from snndeploy.neurons.leaky_fire import LeakyFire

DT = 1e-4  # seconds of a step: that of NIR's own examples, and the only one that snnTorch reads


def refuse(node: Node, why: str) -> UnsupportedError:
    said = f"{node.label}: {why}, which NIR cannot say"
    return UnsupportedError(said, node=node.name, reason=why)


def equation(node: Node) -> LeakyFire:
    """
    Raises:
        UnsupportedError: what no NIR neuron does.
    """
    found = equation_of(node.attributes)
    if not isinstance(found, LeakyFire):
        raise refuse(node, f"is a neuron of kind {found.kind!r}")
    if node.body is not None:
        raise refuse(node, "refines its membrane by attention")
    for holds, why in (
        (found.refractory, f"has {found.refractory} refractory steps"),
        (found.grid, f"rounds its state to multiples of {found.grid:g}"),
        (found.most_spikes > 1, f"fires up to {found.most_spikes} times a step"),
        (found.initial, f"starts at {found.initial:g}"),
        (found.reset is Reset.NONE, "does not reset"),
        (found.reset is Reset.SOFT_AFTER and found.decay != 1, "subtracts behind the leak"),
        (found.current_decay == 1, "has a current that does not leak"),
        (found.current_decay and found.decay == 1, "has a current and no leak of its membrane"),
        (
            found.v_reset and "v_reset" not in vars(nir.LIF)["__dataclass_fields__"],
            f"resets to {found.v_reset:g}, and the package nir is older than 1.0.7",
        ),
        (found.v_reset and not found.decay, f"resets to {found.v_reset:g} and keeps nothing"),
    ):
        if holds:
            raise refuse(node, why)
    return found


def resets(found: LeakyFire) -> str:
    """What is said of it beside the file, which has no place for it: hard or soft."""
    return "hard" if found.reset is Reset.HARD else "soft"


def neuron(found: LeakyFire, shape: tuple[int, ...]) -> tuple[Any, float]:
    """The NIR neuron, and what its input is multiplied by."""

    def full(value: float) -> np.ndarray:
        return np.full(shape, value, dtype=np.float64)

    rest = {"v_threshold": full(_threshold(found))}
    if found.v_reset:  # the package's releases before 1.0.7 know none, and take it for 0
        rest["v_reset"] = full(_reset(found))
    if found.decay == 1:
        return nir.IF(r=full(1.0), **rest), 1.0
    tau = DT / (1 - found.decay)
    if not found.current_decay:
        made = nir.LIF(tau=full(tau), r=full(1.0), v_leak=full(0.0), **rest)
        return made, 1.0 / (1 - found.decay)
    synaptic = DT / (1 - found.current_decay)
    made = nir.CubaLIF(
        tau_syn=full(synaptic), tau_mem=full(tau), r=full(tau / DT), v_leak=full(0.0),
        w_in=full(synaptic / DT), **rest,
    )  # fmt: skip
    return made, 1.0


def integrator(decay: float, shape: tuple[int, ...]) -> tuple[Any, float]:
    """A membrane that does not fire, y = decay * y + x."""
    if decay == 1:
        return nir.I(r=np.ones(shape)), 1.0
    tau = np.full(shape, DT / (1 - decay))
    return nir.LI(tau=tau, r=np.ones(shape), v_leak=np.zeros(shape)), 1.0 / (1 - decay)


def _threshold(found: LeakyFire) -> float:
    if found.fires_at is FiresAt.ABOVE:
        return found.threshold
    return float(np.nextafter(np.float32(found.threshold), np.float32(-np.inf)))


def _reset(found: LeakyFire) -> float:
    return found.v_reset / found.decay if found.v_reset else 0.0
