"""Leaky integrate-and-fire neurons of the papers, in plain torch.

Text equation (MA Eq. 4, ASA Eq. 1-4, GAC Eq. 1; identical up to names), for t = 1..T:

    U[t] = H[t-1] + X[t]                               membrane, H[0] = 0
    S[t] = Hea(U[t] - V_th)                            spike, 0 or 1
    H[t] = V_reset * S[t] + decay * U[t] * (1 - S[t])  hard reset
    H[t] = decay * (U[t] - V_th * S[t])                soft reset

The input is not scaled by (1 - decay), and V_reset is not decayed. The papers leave Hea(0)
open: fires_at 'ge' fires at U >= V_th (the formulas), 'gt' only at U > V_th (some of the code).

Two resets of published code are this equation with another V_reset. MA: after a spike H is
decay * V_th, so V_reset = decay * V_th. ASA: V_reset is decayed too, so V_reset * decay.
"""

from __future__ import annotations

import math
from typing import Any, Literal, NotRequired, TypedDict

import torch
from torch import Tensor, nn

FiresAt = Literal["ge", "gt"]
Reset = Literal["hard", "soft"]
Surrogate = Literal["rectangle", "atan"]


class Preset(TypedDict):
    """The arguments of a LIF that a paper fixes."""

    threshold: float
    decay: float
    fires_at: FiresAt
    v_reset: NotRequired[float]  # 0 where a preset is silent, as in all five papers


class ParametricPreset(TypedDict):
    """The arguments of a PLIF that a paper fixes."""

    threshold: float
    time_constant: float
    fires_at: FiresAt


# No global default exists: the papers disagree, so each setting has a name and a source.
PRESETS: dict[str, Preset] = {
    # GAC Table 4 (CIFAR and ImageNet); the text leaves the test open, its formula reads >=.
    "gac": {"threshold": 0.5, "decay": 0.25, "fires_at": "ge"},
    # GAC Table 4 with the strict test of the published code.
    "gac_strict": {"threshold": 0.5, "decay": 0.25, "fires_at": "gt"},
    # GAC code, CIFAR part: contradicts GAC Table 4.
    "gac_code_cifar": {"threshold": 1.0, "decay": 0.5, "fires_at": "gt"},
    # MA supplement Table S3: DVS Gesture and Gait.
    "ma_events": {"threshold": 0.3, "decay": 0.3, "fires_at": "ge"},
    # MA code, DVS Gesture and Gait: after a spike H = decay * V_th.
    "ma_code_events": {"threshold": 0.3, "decay": 0.3, "fires_at": "ge", "v_reset": 0.09},
    # MA supplement Table S4: ImageNet, the text's test.
    "ma_imagenet": {"threshold": 0.5, "decay": 0.25, "fires_at": "ge"},
    # MA supplement Table S4 with the strict test of the published code.
    "ma_imagenet_strict": {"threshold": 0.5, "decay": 0.25, "fires_at": "gt"},
    # ASA supplement Table S5: DVS Gesture, Gait-day, Gait-night.
    "asa_gesture_gait": {"threshold": 0.3, "decay": 0.3, "fires_at": "ge"},
    # ASA supplement Tables S5 and S6: DailyAction, HAR-DVS.
    "asa_daily_action_har": {"threshold": 1.0, "decay": 0.5, "fires_at": "ge"},
    # SEW-ResNet and Spiking-ResNet rows (Fang 2021): neurons without leak.
    "integrate_and_fire": {"threshold": 1.0, "decay": 1.0, "fires_at": "ge"},
}

PARAMETRIC_PRESETS: dict[str, ParametricPreset] = {
    # The PLIF of LIF-SNN-5 (MA [38], ASA code): tau starts at 2 and is learned.
    "plif": {"threshold": 1.0, "time_constant": 2.0, "fires_at": "ge"},
}


class _Spike(torch.autograd.Function):
    """Hea(v) forward, with v = U - V_th; a surrogate derivative backward."""

    @staticmethod
    def forward(ctx: Any, distance: Tensor, strict: bool, surrogate: Surrogate) -> Tensor:
        ctx.save_for_backward(distance)
        ctx.surrogate = surrogate
        fired = distance > 0 if strict else distance >= 0
        return fired.to(distance.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (distance,) = ctx.saved_tensors
        if ctx.surrogate == "rectangle":  # width 1, area 1
            slope = (distance.abs() < 0.5).to(distance.dtype)
        else:  # derivative of atan(pi * v) / pi + 1/2
            slope = 1.0 / (1.0 + (torch.pi * distance) ** 2)
        return gradient * slope, None, None


class Neuron(nn.Module):
    """Input currents X [T, B, ...] to spikes S [T, B, ...] in {0, 1}: U = H + X, then fire(U).

    The membrane starts at 0 in every call, nothing is kept between calls.
    """

    def forward(self, current: Tensor) -> Tensor:
        carried = torch.zeros_like(current[0])
        spikes = []
        for step in range(current.shape[0]):
            spike, carried = self.fire(carried + current[step])
            spikes.append(spike)
        return torch.stack(spikes)

    def fire(self, membrane: Tensor) -> tuple[Tensor, Tensor]:
        """One step: from U to the spikes S and the membrane H that the next step starts with."""
        raise NotImplementedError

    def neuron_parameters(self) -> dict[str, object]:
        """What a compiler needs to know; the time axis is that of the forward's input."""
        raise NotImplementedError


class LIF(Neuron):
    """U = H + X;  S = Hea(U - V_th);  H = V_reset * S + decay * U * (1 - S).

    Membrane and threshold share X's arbitrary unit. threshold, decay and fires_at have no
    default on purpose: see PRESETS.
    """

    def __init__(
        self,
        threshold: float,
        decay: float,
        fires_at: FiresAt,
        v_reset: float = 0.0,
        reset: Reset = "hard",
        surrogate: Surrogate = "rectangle",
    ) -> None:
        super().__init__()
        if fires_at not in ("ge", "gt"):
            raise ValueError(f"fires_at is {fires_at!r}; use 'ge' (U >= V_th) or 'gt' (U > V_th)")
        if reset not in ("hard", "soft"):
            raise ValueError(f"reset is {reset!r}; use 'hard' or 'soft'")
        if surrogate not in ("rectangle", "atan"):
            raise ValueError(f"surrogate is {surrogate!r}; use 'rectangle' or 'atan'")
        if reset == "soft" and v_reset != 0.0:
            raise ValueError("a soft reset subtracts the threshold; v_reset must stay 0")
        self.threshold = float(threshold)
        self.decay = float(decay)
        self.fires_at: FiresAt = fires_at
        self.v_reset = float(v_reset)
        self.reset: Reset = reset
        self.surrogate: Surrogate = surrogate

    def neuron_parameters(self) -> dict[str, object]:
        return {
            "kind": "lif",
            "threshold": self.threshold,
            "decay": self.decay,
            "v_reset": self.v_reset,
            "fires_at": self.fires_at,
            "reset": self.reset,
            "time_axis": 0,
        }

    def fire(self, membrane: Tensor) -> tuple[Tensor, Tensor]:
        # U - V_th >= 0 exactly when U >= V_th: IEEE subtraction keeps the order, ties included.
        spike = _spike(membrane - self.threshold, self.fires_at, self.surrogate)
        return spike, self._after(membrane, spike)

    def _after(self, membrane: Tensor, spike: Tensor) -> Tensor:
        spike = spike.detach()  # no gradient through the reset: trains better, as published
        if self.reset == "soft":
            return self.decay * (membrane - self.threshold * spike)
        kept = self.decay * membrane * (1.0 - spike)
        return kept if self.v_reset == 0.0 else self.v_reset * spike + kept

    def extra_repr(self) -> str:
        return (
            f"threshold={self.threshold}, decay={self.decay}, fires_at={self.fires_at!r}, "
            f"v_reset={self.v_reset}, reset={self.reset!r}"
        )


class PLIF(Neuron):
    """LIF with a learned time constant (MA [38]), a = 1 / tau = sigmoid(weight), V_reset = 0.

    Published:  V = V' + a * (X - V');  S = Hea(V - V_th);  V' = V * (1 - S): the input is scaled.
    Here V = a * U, which leaves the input alone: U = H + X;  S = Hea(a * U - V_th);
    H = (1 - a) * U * (1 - S). So it is a LIF with threshold V_th / a and decay 1 - a.
    """

    def __init__(self, threshold: float, time_constant: float, fires_at: FiresAt) -> None:
        super().__init__()
        if not time_constant > 1:
            raise ValueError(f"time_constant is {time_constant}; it must exceed 1 step")
        if fires_at not in ("ge", "gt"):
            raise ValueError(f"fires_at is {fires_at!r}; use 'ge' (U >= V_th) or 'gt' (U > V_th)")
        self.threshold = float(threshold)
        self.fires_at: FiresAt = fires_at
        self.weight = nn.Parameter(torch.tensor(-math.log(time_constant - 1.0)))

    def neuron_parameters(self) -> dict[str, object]:
        rate = float(torch.sigmoid(self.weight.detach().double()))
        return {
            "kind": "lif",
            "threshold": self.threshold / rate,
            "decay": 1.0 - rate,
            "v_reset": 0.0,
            "fires_at": self.fires_at,
            "reset": "hard",
            "time_axis": 0,
        }

    def fire(self, membrane: Tensor) -> tuple[Tensor, Tensor]:
        rate = torch.sigmoid(self.weight)
        spike = _spike(rate * membrane - self.threshold, self.fires_at, "atan")
        return spike, (1.0 - rate) * membrane * (1.0 - spike.detach())

    def extra_repr(self) -> str:
        return f"threshold={self.threshold}, fires_at={self.fires_at!r}"


def _spike(distance: Tensor, fires_at: FiresAt, surrogate: Surrogate) -> Tensor:
    spike: Tensor = _Spike.apply(distance, fires_at == "gt", surrogate)  # type: ignore[no-untyped-call]
    return spike


def preset(name: str) -> Neuron:
    """A LIF or PLIF with the named setting of PRESETS or PARAMETRIC_PRESETS."""
    if name in PARAMETRIC_PRESETS:
        return PLIF(**PARAMETRIC_PRESETS[name])
    if name not in PRESETS:
        known = ", ".join([*PRESETS, *PARAMETRIC_PRESETS])
        raise ValueError(f"no neuron preset {name!r}; known: {known}")
    return LIF(**PRESETS[name])


def threshold_of(name: str) -> float:
    """The threshold on U of the named setting, before training (PLIF: V_th * tau)."""
    if name in PARAMETRIC_PRESETS:
        chosen = PARAMETRIC_PRESETS[name]
        return chosen["threshold"] * chosen["time_constant"]
    neuron = preset(name)
    assert isinstance(neuron, LIF)
    return neuron.threshold


def over_time(layer: nn.Module, sequence: Tensor) -> Tensor:
    """Apply a stateless layer to every step: [T, B, ...] to [T, B, ...]."""
    flat: Tensor = layer(sequence.flatten(0, 1))
    return flat.view(*sequence.shape[:2], *flat.shape[1:])
