"""The papers' energy of one sample: multiply-accumulates and accumulates at 45 nm.

    E_Base = E_MAC * T * FL_1 * phi_0  +  E_AC * T * sum over n >= 2 of FL_n * phi_(n-1)      (S1)
    E      = E_MAC * FL_1              +  E_AC * T * sum over n >= 2 of FL_n * fr_n    (GAC Eq. 11)
    E_ANN  = E_MAC * sum of all FL
    Delta_E = E_MAC * Delta_MAC - E_AC * Delta_AC;   E_Att = E_Base + Delta_E               (MA-S)
    r_EE = E_Base / E_Att;   r_REC = Delta_E / E_Base                 (negative r_REC: a saving)

Delta_AC runs over n = 2..N: the papers' printed 1..N-1 counts the encoder and drops the last
convolution (C6).  What the papers leave open is an argument (`Convention`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from snndeploy.costs.attended import AttentionCost
from snndeploy.costs.convention import AC_PJ, MAC_PJ, Convention
from snndeploy.costs.layers import LayerCost

PJ_TO_MJ = 1e-9

Work = Literal["mac", "ac"]


@dataclass(frozen=True)
class LayerEnergy:
    """A layer's line in the sum: operations a sample, their kind, and the rate behind them.

    rate is None where the formula has none (real inputs, attention).
    """

    name: str
    role: str
    flops: int
    rate: float | None
    operations: float
    work: Work
    energy_mj: float


@dataclass(frozen=True)
class PaperEnergy:
    """mJ a sample; attention, in the encoder or behind it, is part of mac_mj when included."""

    mac_mj: float
    ac_mj: float
    encoder_attention_mj: float
    convention: str

    @property
    def total_mj(self) -> float:
        return self.mac_mj + self.ac_mj


def layer_energies(
    layers: Sequence[LayerCost],
    timesteps: int,
    rates: Mapping[str, float],
    convention: Convention,
    input_rate: float = 1.0,
    events: Sequence[float | None] | None = None,
) -> tuple[LayerEnergy, ...]:
    """Every layer that the convention counts.

    rates: spikes a neuron and step, by neuron.  input_rate: part of the input that is not zero
    (1 for images; the papers' phi_0 for event frames).  events: measured events of a step, one a
    layer, for exact operations; without them, events at rate 1 times the rate.

    Raises:
        KeyError: a layer's neuron has no rate.
        ValueError: exact operations of a layer whose events are not known.
    """
    measured = events or [None] * len(layers)
    found = []
    for layer, seen in zip(layers, measured, strict=True):
        if not _counted(layer, convention):
            continue
        steps, work, rate = _terms(layer, timesteps, rates, convention, input_rate)
        each = _operations(layer, rate, convention, seen)
        price = convention.mac_pj if work == "mac" else convention.ac_pj
        operations = steps * each
        energy = price * operations * PJ_TO_MJ
        found.append(
            LayerEnergy(layer.name, layer.role, layer.flops, rate, operations, work, energy)
        )
    return tuple(found)


def _counted(layer: LayerCost, convention: Convention) -> bool:
    if layer.role == "encoder_attention":
        return convention.encoder == convention.encoder_attention == "included"
    return convention.encoder == "included" or not layer.first


def _terms(
    layer: LayerCost,
    timesteps: int,
    rates: Mapping[str, float],
    convention: Convention,
    input_rate: float,
) -> tuple[int, Work, float | None]:
    """Steps that are counted, the kind of operation, and the rate (None: every value is one)."""
    if layer.role == "encoder_attention":
        once = convention.constant_attention == "once"
        return layer.repeats if once else timesteps, "mac", None
    if layer.first:
        steps = timesteps if convention.first_layer == "every_step" else 1
        return steps, "mac", input_rate
    if layer.role in ("shortcut", "encoder") and convention.shortcuts == "mac":
        return timesteps, "mac", None
    work: Work = "mac" if layer.role == "gated" else "ac"
    return timesteps, work, _rate(layer, rates, convention)


def _operations(
    layer: LayerCost, rate: float | None, convention: Convention, seen: float | None
) -> float:
    """Operations of one step."""
    share = 1.0 if rate is None else rate
    if convention.operations == "formula":
        return layer.flops * share
    if seen is not None:
        return seen
    if layer.events is None:
        raise ValueError(f"the events of {layer.name} are not known")
    return layer.events * share


def paper_energy(
    layers: Sequence[LayerCost],
    timesteps: int,
    rates: Mapping[str, float],
    convention: Convention,
    input_rate: float = 1.0,
    *,
    events: Sequence[float | None] | None = None,
    attention: Sequence[AttentionCost] = (),
) -> PaperEnergy:
    """Energy of one sample in mJ; arguments and errors as `layer_energies`.

    attention: `attention_of(graph).costs`, whose Delta_MAC is added.
    """
    lines = layer_energies(layers, timesteps, rates, convention, input_rate, events)
    return PaperEnergy(
        mac_mj=_sum(line for line in lines if line.work == "mac")
        + convention.mac_pj * delta_mac(attention, convention) * PJ_TO_MJ,
        ac_mj=_sum(line for line in lines if line.work == "ac"),
        encoder_attention_mj=_sum(line for line in lines if line.role == "encoder_attention"),
        convention=str(convention),
    )


def delta_mac(attention: Iterable[AttentionCost], convention: Convention) -> int:
    """Delta_MAC = Delta_MAC1 + Delta_MAC2 of a sample, as the convention counts attention."""
    return sum(sum(cost.macs(convention)) for cost in attention)


def _sum(lines: Iterable[LayerEnergy]) -> float:
    return float(sum(line.energy_mj for line in lines))


def _rate(layer: LayerCost, rates: Mapping[str, float], convention: Convention) -> float:
    """Rate of what drives the layer, or mean rate of its own neurons, as the convention has it.

    A layer behind SEW's ADD reads sums of spikes, v accumulations for a value v, so the rates of
    its driving neurons add up.  A membrane shortcut counted as AC reads no spikes at all: its rate
    is their mean.  The other neurons stand in where there are none, or where theirs were not
    measured (the host's).
    """
    order = (
        [layer.driving, layer.own] if convention.rate == "driving" else [layer.own, layer.driving]
    )
    known = [names for names in order if names and all(name in rates for name in names)]
    names = [*known, *filter(None, order), ()][0]
    total = sum(rates[name] for name in names)
    if names is layer.driving and layer.role != "shortcut":
        return total
    return total / max(len(names), 1)


def ann_energy_mj(layers: Sequence[LayerCost], mac_pj: float = MAC_PJ) -> float:
    """The non-spiking counterpart: every layer once, all multiply-accumulates."""
    return mac_pj * ann_operations(layers) * PJ_TO_MJ


def ann_operations(layers: Sequence[LayerCost]) -> int:
    """Multiply-accumulates of the non-spiking counterpart: the sum of all FL."""
    return sum(layer.flops for layer in layers if layer.role != "encoder_attention")


def rate_ratio(timesteps: int, rate: float, mac_pj: float = MAC_PJ, ac_pj: float = AC_PJ) -> float:
    """ANN energy over SNN energy when every layer, the first too, accumulates at one rate.

    What MA Table 2 prints ("3.8x"): E_MAC / (E_AC * T * rate).
    """
    return mac_pj / (ac_pj * timesteps * rate)


@dataclass(frozen=True)
class Saving:
    """What attention (or any second network) changes; counts and mJ of one sample.

    delta_mac: multiply-accumulates that it adds; delta_ac: accumulates that it saves.
    """

    base_mj: float
    delta_mac: float
    delta_ac: float
    delta_mj: float

    @property
    def attention_mj(self) -> float:
        """E_Att = E_Base + Delta_E."""
        return self.base_mj + self.delta_mj

    @property
    def r_ee(self) -> float | None:
        """Energy efficiency E_Base / E_Att: above 1 it saves energy; None where E_Att is zero."""
        return self.base_mj / self.attention_mj if self.attention_mj else None

    @property
    def r_rec(self) -> float | None:
        """Relative change of energy Delta_E / E_Base: below 0 it saves; None where E_Base is 0."""
        return self.delta_mj / self.base_mj if self.base_mj else None


def saving(
    base_mj: float,
    delta_mac: float,
    delta_ac: float,
    mac_pj: float = MAC_PJ,
    ac_pj: float = AC_PJ,
) -> Saving:
    """Delta_E = E_MAC * Delta_MAC - E_AC * Delta_AC (MA-S section 1)."""
    delta_mj = (mac_pj * delta_mac - ac_pj * delta_ac) * PJ_TO_MJ
    return Saving(base_mj, delta_mac, delta_ac, delta_mj)


def delta_ac(
    layers: Sequence[LayerCost],
    timesteps: int,
    base_rates: Mapping[str, float],
    attention_rates: Mapping[str, float],
    convention: Convention,
) -> float:
    """Delta_AC = T * sum over n = 2..N and all linear layers of FL_n * (phi_base - phi_att)."""
    counts = [
        sum(
            line.operations
            for line in layer_energies(layers, timesteps, rates, convention)
            if line.work == "ac"
        )
        for rates in (base_rates, attention_rates)
    ]
    return counts[0] - counts[1]


def nasar(neurons: Mapping[str, int], rates: Mapping[str, float]) -> float:
    """NASAR = sum of N_n * phi_n / sum of N_n over the layers of neurons (MA, ASA, GAC Eq. 12)."""
    total = sum(neurons.values())
    return sum(count * rates[name] for name, count in neurons.items()) / total
