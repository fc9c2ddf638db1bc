"""What the float model asks of the numbers of a reduced program (`Network.reduced`).

weights   the rows of the channels that stayed; a column for each channel of the carrier, the
          sum of those that share it
bias      its own, plus the weights of the channels that fire at every step
a copy    one spike of its only source reaches the threshold
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snndeploy.lower.real_network import RealNetwork, RealPopulation, Term
from snndeploy.network import MEMBRANE_SHIFT, STEADY, Network, Projection
from snndeploy.program import Program
from snndeploy.quantize.quantize import LayerQuantization
from snndeploy.quantize.registers import bias_registers
from snndeploy.target import Target


def carrier(network: Network, name: str) -> str:
    """The population here that has the spikes of one of the model's; '' for none."""
    entry = network.reduction_of(name)
    return name if entry is None else entry.carrier


def rows(network: Network, name: str, values: np.ndarray) -> np.ndarray:
    """Values by channel of the model's population, for the channels that stayed."""
    entry = network.reduction_of(name)
    return values if entry is None else values[entry.kept]


def columns(network: Network, term: Term, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights by channel of the term's source, for the channels of its carrier; and how many of
    them were added up in each column, (1, columns, 1, 1)."""
    entry = network.reduction_of(term.source)
    grouped = term.connection.groups > 1
    if entry is None or grouped:  # whole groups go: the rows say which
        return weight, np.ones((1, weight.shape[1], 1, 1))
    here = np.flatnonzero(entry.place >= 0)
    channels = network.by_name[entry.carrier].shape[0]
    found = np.zeros((weight.shape[0], channels, *weight.shape[2:]))
    np.add.at(np.moveaxis(found, 1, 0), entry.place[here], np.moveaxis(weight[:, here], 1, 0))
    count = np.bincount(entry.place[here], minlength=channels)
    return found, np.maximum(count, 1).reshape(1, -1, 1, 1)


def steady_terms(network: Network, wanted: RealPopulation) -> list[tuple[int, np.ndarray]]:
    """Index of each term whose source has channels that fire at every step, and which."""
    found = []
    for index, term in enumerate(wanted.terms):
        entry = network.reduction_of(term.source)
        if entry is not None and (entry.place == STEADY).any():
            found.append((index, entry.place == STEADY))
    return found


def steady_bias(program: Program, wanted: RealPopulation) -> tuple[np.ndarray, np.ndarray]:
    """Bias in units of v with the steady sources' weights, (C, H, W) of the channels that stayed,
    and how far rounding of those weights may move it."""
    network = program.network
    unit = network.by_name[wanted.name].scale
    own = _own_bias(wanted, unit, program.target)
    slack = np.zeros(wanted.shape)
    layer = _layer(program, wanted.name)
    exponents = [
        layer.exponents[part]
        for part in parts_of(layer.exponents, layer.weight_precision == "double")
    ]
    for index, steady in steady_terms(network, wanted):
        term = wanted.terms[index]
        shape = _model_shape(network, term.source)
        weight = term.connection.weight[:, steady]
        highest, lowest = exponents[index][0], exponents[index][-1]
        step = 2.0**lowest * (1 << MEMBRANE_SHIFT)
        limit = (program.target.mantissa_max + 1) << (highest - lowest)
        mantissas = np.clip(weight / unit / 2.0**lowest, -limit, limit - 1)
        own = own + term.connection.tap_sums(shape, mantissas.sum(axis=1)) * step
        taps = np.ones(weight.shape).sum(axis=1)
        slack = slack + 0.5 * step * term.connection.tap_sums(shape, taps)
    return rows(network, wanted.name, own), rows(network, wanted.name, slack)


def _own_bias(wanted: RealPopulation, unit: float, target: Target) -> np.ndarray:
    mantissas, exponent = bias_registers(wanted, unit, target)
    if mantissas is None:
        return np.zeros(wanted.shape)
    wide = mantissas.reshape(-1, 1, 1) if mantissas.ndim == 1 else mantissas
    return np.broadcast_to(wide.astype(float) * (1 << exponent), wanted.shape)


def _model_shape(network: Network, name: str) -> tuple[int, int, int]:
    entry = network.reduction_of(name)
    return network.by_name[name].shape if entry is None else entry.shape


def _layer(program: Program, name: str) -> LayerQuantization:
    found = program.facts.quantized(name)
    assert found is not None
    return found


def parts_of(exponents: Sequence[int], double: bool) -> list[slice]:
    """For each kernel its projections: a high part of exponent 0 has no low one beside it."""
    found, at = [], 0
    while at < len(exponents):
        count = 2 if double and exponents[at] else 1
        found.append(slice(at, at + count))
        at += count
    return found


def by_weight(program: Program, name: str) -> list[tuple[Projection, ...]]:
    """The projections into a population that hold each kernel's weights together."""
    incoming = program.network.incoming(name)
    double = _layer(program, name).weight_precision == "double"
    return [incoming[part] for part in parts_of([p.exponent for p in incoming], double)]


def whole_weight(held: Sequence[Projection]) -> np.ndarray:
    """Their weights in one, in steps of the last projection, int64."""
    steps = [part.connection.weight.astype(np.int64) << part.exponent for part in held]
    whole: np.ndarray = np.sum(steps, axis=0) >> held[-1].exponent
    return whole


def copy_fault(program: Program, real: RealNetwork, wanted: RealPopulation) -> str:
    """Why a population that went as a copy of its source is none ('' when it is)."""
    if len(wanted.terms) != 1 or wanted.host or wanted.neuron is None:
        return "it does not only read that source"
    if wanted.offset is not None and wanted.offset.any():
        return "it has a bias"
    (term,) = wanted.terms
    if carrier(program.network, term.source) != carrier(program.network, wanted.name):
        return f"it reads {term.source}"
    if not term.connection.one_to_one(wanted.shape[0]):
        return "its neurons read more than one neuron"
    if real.by_name[term.source].kind not in ("lif", "or", "input"):
        return f"{term.source} sends no spikes"
    layer = _layer(program, wanted.name)
    rounding = 0.5 * 2.0 ** layer.exponents[-1] * layer.unit
    least, threshold = float(term.connection.weight.min()), wanted.neuron.threshold
    if least < threshold - rounding:
        return f"one spike adds {least:g}, its threshold is {threshold:g}"
    return ""
