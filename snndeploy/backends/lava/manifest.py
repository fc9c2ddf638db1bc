"""The network of a bundle as a manifest and arrays: what `run_template.py` builds from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from snndeploy.backends.lava import express
from snndeploy.backends.lava.backend import ALLOWED
from snndeploy.connections import Conv, Dense
from snndeploy.engines.boundary import count_samples
from snndeploy.network import Network, Population, Projection
from snndeploy.neurons import Input, Integrator, Lif, Programmed, Relay, shift

FORMAT = "snndeploy lava bundle"
VERSION = 1


@dataclass
class Arrays:
    """Arrays written so far; a name becomes `arrays/NNN_name.npy`."""

    folder: Path
    count: int = 0

    def add(self, name: str, array: np.ndarray) -> str:
        (self.folder / "arrays").mkdir(exist_ok=True)
        plain = re.sub(r"[^A-Za-z0-9.]+", "_", name).strip("_.")[:60]
        path = f"arrays/{self.count:03d}_{plain}.npy"
        self.count += 1
        np.save(self.folder / path, np.ascontiguousarray(array), allow_pickle=False)
        return path


@dataclass
class Context:
    network: Network
    injected: Mapping[int, np.ndarray]
    samples: int
    arrays: Arrays
    one_sample_a_run: bool
    notes: list[str] = field(default_factory=list)


def build_manifest(
    folder: Path,
    network: Network,
    injected: Mapping[int, np.ndarray],
    expected: Mapping[str, np.ndarray],
    expected_outputs: np.ndarray | None,
    sums: express.Sums,
) -> dict[str, Any]:
    """Write the arrays below `folder`; what they are, as plain JSON values."""
    samples = count_samples(network, injected)
    one_sample_a_run = express.reads_the_past(network)
    context = Context(network, injected, samples, Arrays(folder), one_sample_a_run)
    populations = [_population(context, population) for population in network.populations]
    context.notes += express.sum_notes(sums)
    bits = {entry["name"]: entry.pop("message_bits") for entry in populations}
    return {
        "format": FORMAT,
        "version": VERSION,
        "timesteps": network.timesteps,
        "period": network.chip_steps,
        "samples": context.samples,
        "one_sample_a_run": context.one_sample_a_run,
        "populations": populations,
        "projections": [_projection(context, p, bits[p.source]) for p in network.projections],
        "injections": _graded_injections(context),
        "message_bits": bits,
        "depth": {population.name: population.depth for population in network.populations},
        "expected": _expected(context, expected),
        "readouts": [
            {"population": r.population, "kind": r.kind, "steps": r.steps_of(network.timesteps)}
            for r in network.readouts
        ],
        "expected_outputs": _expected_outputs(context, expected_outputs),
        "simulation_only": express.simulation_only(network),
        "hardware_notes": context.notes,
    }


# --- populations --------------------------------------------------------------------------------


def _population(context: Context, population: Population) -> dict[str, Any]:
    neuron = express.as_process(population.neuron)
    entry: dict[str, Any] = {
        "name": population.name,
        "kind": neuron.name,
        "shape": list(population.shape),
        "depth": population.depth,
    }
    sent = None
    match neuron:
        case Input():
            sent = _input_values(context, population)
            entry["input"] = context.arrays.add(f"{population.name}.input", sent)
        case Relay(payload_shift=shifted):
            entry["payload_shift"] = shifted
        case Programmed():
            entry |= {"registers": asdict(neuron), "bias": _bias(context, population)}
        case Lif() | Integrator():
            entry |= {
                "threshold": neuron.threshold if isinstance(neuron, Lif) else 0,
                "membrane_decay": neuron.membrane_decay,
                "current_decay": neuron.current_decay,
                "bias": _bias(context, population),
            }
    entry["message_bits"] = express.message_bits(population, sent)
    context.notes += express.population_notes(context.network, population)
    return entry


def _input_values(context: Context, population: Population) -> np.ndarray:
    """Payloads of an input population, (samples, T, C, H, W), all its injections together."""
    shape = (context.samples, context.network.timesteps, *population.shape)
    values = np.zeros(shape, dtype=np.int32)
    for index, injection in enumerate(context.network.injections):
        if injection.target == population.name:
            values += context.injected[index].astype(np.int32)
    return _small(values)


def _bias(context: Context, population: Population) -> dict[str, Any] | None:
    """Mantissas (C, H, W), or (samples, C, H, W) with a bias injection, and their exponent."""
    total = population.own_bias
    for index, injection in enumerate(context.network.injections):
        if injection.target == population.name and injection.mode == "bias":
            total = total + shift(context.injected[index].astype(np.int64), injection.exponent)
    if not total.any() and not _held(context, population):
        return None
    factors = express.factored(total, express.BIAS_BITS, population.name)
    return _bias_entry(context, population, *factors)


def _bias_entry(
    context: Context, population: Population, mantissa: np.ndarray, exponent: int
) -> dict[str, Any]:
    """loaded: the host writes it at the start of each sample, else it is there all the time.

    before: the mantissa until it is loaded for the first time.
    """
    held = _held(context, population)
    before = express.holding_bias(population.name, held, exponent) if held else 0
    return {
        "array": context.arrays.add(f"{population.name}.bias", mantissa),
        "exponent": exponent,
        "loaded": mantissa.ndim == 4 or context.one_sample_a_run,
        "before": before,
    }


def _held(context: Context, population: Population) -> Lif | None:
    """Its neuron, where it would fire at rest, before its first step, and somebody reads that.

    A neuron program sends nothing before its first step.
    """
    neuron = express.as_process(population.neuron)
    fires = isinstance(neuron, Lif) and neuron.threshold < 0
    return neuron if context.one_sample_a_run and isinstance(neuron, Lif) and fires else None


# --- projections and injections -----------------------------------------------------------------


def _projection(context: Context, projection: Projection, message_bits: int) -> dict[str, Any]:
    weight, exponent = express.weights(projection)
    entry: dict[str, Any] = {
        "name": projection.name,
        "source": projection.source,
        "target": projection.target,
        "weight": context.arrays.add(f"{projection.name}.weight", weight.astype(np.int16)),
        "exponent": exponent,
        "delay": projection.delay,
        "message_bits": message_bits,
    }
    match projection.connection:
        case Conv() as conv:
            return entry | {
                "kind": "conv",
                "stride": list(conv.stride),
                "padding": list(conv.padding),
                "dilation": list(conv.dilation),
                "groups": conv.groups,
            }
        case Dense() as dense:
            axonal = _axonal_delays(context, projection)
            return entry | {"kind": "dense", "pool": list(dense.pool), "axonal_delay": axonal}
    raise ALLOWED.refused_connection(projection)


def _axonal_delays(context: Context, projection: Projection) -> str | None:
    if projection.axonal_delay is None:
        return None
    shape = context.network.by_name[projection.source].shape
    delays = np.asarray(projection.axonal_delay).reshape(shape).astype(np.int16)
    return context.arrays.add(f"{projection.name}.axonal_delay", delays)


def _graded_injections(context: Context) -> list[dict[str, Any]]:
    entries = []
    for index, injection in enumerate(context.network.injections):
        if injection.mode != "graded":
            continue
        values = context.injected[index]
        largest = int(np.abs(values.astype(np.int64)).max(initial=1))
        entries.append(
            {
                "target": injection.target,
                "depth": context.network.by_name[injection.target].depth,
                "array": context.arrays.add(f"{injection.target}.injected", _small(values)),
                "exponent": injection.exponent,
                "message_bits": min(largest.bit_length() + 1, 31),
            }
        )
    return entries


# --- what must come out -------------------------------------------------------------------------


def _expected(context: Context, expected: Mapping[str, np.ndarray]) -> dict[str, str]:
    paths = {}
    for population in context.network.populations:
        if not population.neuron.on_chip or not population.neuron.sends:
            continue
        spikes = np.asarray(expected[population.name])
        shape = (context.samples, context.network.timesteps, *population.shape)
        assert spikes.shape == shape, (population.name, spikes.shape, shape)
        stored = _small(spikes)
        paths[population.name] = context.arrays.add(f"{population.name}.expected", stored)
    return paths


def _expected_outputs(context: Context, outputs: np.ndarray | None) -> str | None:
    if context.network.readout is None:
        return None
    assert outputs is not None and outputs.ndim == 2 and len(outputs) == context.samples
    return context.arrays.add("outputs.expected", outputs.astype(np.int64))


def _small(values: np.ndarray) -> np.ndarray:
    """The same integers in the smallest signed type."""
    for kind in (np.int8, np.int16, np.int32):
        limits = np.iinfo(kind)
        if not values.size or (values.min() >= limits.min and values.max() <= limits.max):
            return values.astype(kind)
    raise AssertionError("beyond 32 bits")
