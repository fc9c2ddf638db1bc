"""Report: what a simulation found, as JSON (schema `snndeploy.report/1`).

What was not computed is absent (or null where the schema names the key).  Units are in the names.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from snndeploy import metrics
from snndeploy.costs import (
    GAC_EQUATION_11,
    Convention,
    LayerCost,
    attention_of,
    paper_energy,
)
from snndeploy.network import Network
from snndeploy.ops.answer import Head
from snndeploy.program import Program
from snndeploy.program.facts import plain
from snndeploy.report.attention import attention
from snndeploy.report.traffic import MESSAGE_BITS, real_time, traffic
from snndeploy.simulator.answers import heads_of
from snndeploy.simulator.run import Simulation
from snndeploy.target import MARKS
from snndeploy.timing.energy import Energy

SCHEMA = "snndeploy.report/1"
PAPER_CONVENTIONS = {
    "paper": ("S1 with shortcuts as MAC", Convention()),
    "paper_gac_equation_11": ("GAC Eq. 11", GAC_EQUATION_11),
}


def summarize(
    program: Program,
    simulation: Simulation,
    labels: np.ndarray | None = None,
    data: str = "",
) -> dict[str, Any]:
    """The report of a run as JSON values.

    labels: (samples, ...) classes or targets, or None.
    """
    network = program.network
    energy = _whole(simulation.energies)
    papers, absent = _paper_energies(program, simulation)
    return {
        "schema": SCHEMA,
        **({"warnings": [warning]} if (warning := simulation.input_warning) else {}),
        "model": plain(program.facts.model),
        "target": _target(program),
        "data": data,
        "samples": simulation.samples,
        "timesteps": network.timesteps,
        "engine": simulation.engine,
        **_answers(program, simulation, labels),
        "spikes": _spikes(program, simulation),
        "operations": _operations(program, simulation),
        "traffic": traffic(program, simulation),
        "latency": _latency(program, simulation),
        "real_time": real_time(program, simulation),
        "energy": {"chip": _chip_energy(energy), **papers},
        **({"attention": refined} if (refined := attention(network)) else {}),
        "partition": plain(program.facts.flags),
        **({"plan": plain(plan)} if (plan := program.facts.plan) else {}),
        "mapping": _mapping(program),
        "quantization": {"layers": plain(program.facts.quantization)},
        "shortcuts": plain(program.facts.shortcuts),
        "made_with": dict(program.facts.made_with),
        "notes": _notes(program, simulation, energy) + absent,
    }


def _target(program: Program) -> dict[str, Any]:
    target = program.target
    return {"name": target.name, "board": target.board_name, "description": target.description}


def _answers(program: Program, simulation: Simulation, labels: np.ndarray | None) -> dict[str, Any]:
    """Accuracy and error of the first head, and of the others beside the float model's."""
    found = []
    heads = heads_of(program) or (Head("", simulation.logits.shape[1:], metrics.Meaning()),)
    pairs = zip(heads, simulation.answers(), strict=True)
    for index, (head, (chip, reference)) in enumerate(pairs):
        y = labels if index == 0 else None
        scored = metrics.scores(chip, reference, y, head.shape, head.meaning)
        found.append({"name": head.name, **scored})
    first, *others = found
    del first["name"]
    return {**first, **({"heads": others} if others else {})}


def _spikes(program: Program, simulation: Simulation) -> dict[str, Any]:
    """By population; totals and rate are of the model's neurons, as the papers count."""
    network = program.network
    layers = []
    total, sites = 0.0, 0
    for population in network.populations:
        if not population.neuron.sends:
            continue
        activity = simulation.layers[population.name]
        neurons = program.fires_as_neurons(population)
        steps = simulation.samples * network.timesteps
        entry: dict[str, Any] = {
            "name": population.name,
            "kind": "pool" if population.neuron.fires and not neurons else population.neuron.name,
            "neurons": activity.neurons,
            "spikes_per_sample": activity.spikes / simulation.samples,
            "rate": activity.spikes / (activity.neurons * steps),
        }
        if activity.matching is not None:
            entry["agreement"] = activity.matching / (activity.neurons * steps)
        layers.append(entry)
        if neurons:
            total += activity.spikes / simulation.samples
            sites += activity.neurons * network.timesteps
    return {"total_per_sample": total, "rate": total / sites if sites else None, "layers": layers}


def _operations(program: Program, simulation: Simulation) -> dict[str, Any]:
    """Multiply-accumulates of the host, and of the chip where synapses read graded payloads;
    accumulates and synaptic operations (events) of the chip."""
    layers = program.facts.layers
    encoder = sum(c.flops * c.repeats for c in layers if c.role in ("encoder", "encoder_attention"))
    refined = attention(program.network) or {"macs_per_sample": 0}
    synaptic = simulation.totals["synaptic_operations"]
    readout = _readout_operations(program.network, simulation)
    graded = simulation.graded_operations
    return {
        "mac_per_sample": {
            "encoder": encoder + _host_shortcuts(program),
            "body": graded,
            "attention": refined["macs_per_sample"],
            "readout": 0,
        },
        "ac_per_sample": {"encoder": 0, "body": synaptic - readout - graded, "readout": readout},
        "synaptic_operations_per_sample": {
            "encoder": 0,
            "body": synaptic - readout,
            "readout": readout,
        },
        "synapses_met_per_sample": simulation.totals["synapses_met"],
    }


def _host_shortcuts(program: Program) -> int:
    """MACs of the encoder's part of membrane shortcuts, which lowering moved to the host."""
    from snndeploy.ops import KINDS
    from snndeploy.ops.evaluate import node_inputs

    graph = program.encoder
    return sum(
        KINDS[node.op].macs(node, node_inputs(graph, node))
        * (1 if node.signal and node.signal.constant else graph.timesteps)
        for node in graph.nodes
        if "@host(" in node.name
    )


def _readout_operations(network: Network, simulation: Simulation) -> float:
    """Synaptic operations into integrators."""
    found = [
        int(simulation.layer_traffic[population.name]["synaptic_operations"].sum())
        for population in network.populations
        if not population.neuron.sends
    ]
    return sum(found) / simulation.samples


def _latency(program: Program, simulation: Simulation) -> dict[str, Any]:
    timing = simulation.timings[0]
    found: dict[str, Any] = {
        "seconds_per_sample": simulation.timing_mean("latency_seconds"),
        "pipelined_interval_seconds": simulation.timing_mean("interval_seconds"),
        "steps": program.network.chip_steps,
        "model": timing.model,
        "provenance": max((t.mark for t in simulation.timings), key=MARKS.index),
    }
    host = simulation.timing_mean("host_seconds")
    if host is not None:
        found["host_link_seconds_per_sample"] = host
    if simulation.cycle is not None:
        found["cycle"] = simulation.cycle.summary()
    return found


def _chip_energy(energy: Energy) -> dict[str, Any]:
    breakdown = energy.breakdown
    return {
        "total_j": float(sum(breakdown.values())) if breakdown else None,
        "breakdown": breakdown,
        "scope": energy.scope,
        "provenance": {
            line.name: {"mark": line.mark, "source": line.source} for line in energy.lines
        },
        "shares_by_mark": energy.shares,
        "statement": energy.statement,
        "absent": list(energy.absent),
    }


def _whole(energies: Sequence[Energy]) -> Energy:
    """The energies of a run's chunks as one: the same lines, the samples one after the other."""
    lines = tuple(
        replace(
            parts[0],
            events=np.concatenate([part.events for part in parts]),
            joules=np.concatenate([part.joules for part in parts]),
        )
        for parts in zip(*(energy.lines for energy in energies), strict=True)
    )
    absent = dict.fromkeys(text for energy in energies for text in energy.absent)
    return Energy(sum(energy.samples for energy in energies), lines, tuple(absent))


def _paper_energies(program: Program, simulation: Simulation) -> tuple[dict[str, Any], list[str]]:
    """The papers' formula at the chip's own rates, S1 as headline, and why one does not apply."""
    layers = program.facts.layers
    if not layers:
        return {}, ["papers' energy is not given: the program names no layers to count"]
    rates = chip_rates(program, simulation)
    rate = _input_rate(program.network, simulation)
    found: dict[str, Any] = {}
    absent = []
    for key, (title, convention) in PAPER_CONVENTIONS.items():
        if reason := _inapplicable(layers, convention, rates):
            absent.append(f"papers' energy by {title} is not given: {reason}")
            continue
        energy = paper_energy(
            layers, program.network.timesteps, rates, convention, 1.0 if rate is None else rate,
            attention=attention_of(program.model.select(program.model.outputs)).costs,
        )  # fmt: skip
        found[key] = {"total_mj": energy.total_mj, **asdict(energy)}
        if rate is not None:
            found[key]["input_rate"] = rate
    return found, absent


def _inapplicable(
    layers: Sequence[LayerCost], convention: Convention, rates: Mapping[str, float]
) -> str:
    if convention.first_layer == "once" and any(
        layer.repeats > 1 for layer in layers if layer.first
    ):
        return "it computes the first layer once, but the input changes with the time step"
    if not rated_neurons(layers, convention) <= set(rates):
        return "it needs firing rates of neurons that are not on the chip, which are not measured"
    return ""


def _input_rate(network: Network, simulation: Simulation) -> float | None:
    """The part of the chip's input that is not zero (phi_0), where the host sends events."""
    inputs = [p for p in network.populations if not p.neuron.on_chip]
    sites = sum(p.neurons for p in inputs) * simulation.samples * network.timesteps
    return sum(simulation.layers[p.name].spikes for p in inputs) / sites if sites else None


def rated_neurons(layers: Sequence[LayerCost], convention: Convention) -> set[str]:
    """The neurons whose rates the formula multiplies with."""
    shortcuts = {"shortcut"} if convention.shortcuts == "ac" else set()
    roles = {"layer", "gated", "readout"} | shortcuts
    counted = [layer for layer in layers if layer.role in roles and not layer.first]
    if convention.rate == "own":
        return {name for layer in counted for name in layer.own or layer.driving}
    return {name for layer in counted for name in layer.driving}


def chip_rates(program: Program, simulation: Simulation) -> dict[str, float]:
    """Measured rate of every neuron node, chip and encoder: spikes a neuron and step."""
    network, steps = program.network, simulation.samples * program.network.timesteps
    rates = dict(simulation.host_rates) | {
        population.origin: simulation.layers[population.name].spikes / (population.neurons * steps)
        for population in network.populations
    }
    for entry in network.reduced:  # over the model's neurons, those that were removed included
        rates.pop(entry.origin, None)
        nothing = np.zeros(0, dtype=np.int64)
        spikes = entry.spikes(simulation.channel_spikes.get(entry.carrier, nothing), steps)
        if spikes is not None:
            rates[entry.origin] = spikes / (math.prod(entry.shape) * steps)
    return rates


def _mapping(program: Program) -> dict[str, Any]:
    layout = program.layout
    utilisation = {
        name: float(np.mean(layout.use[name]) / limit) for name, limit in layout.limits.items()
    }
    return {
        "cores": layout.cores,
        "chips": layout.chips,
        "utilisation": utilisation,
        "binding": layout.binding,
        "neurons": program.network.neurons,
    }


def _notes(program: Program, simulation: Simulation, energy: Energy) -> list[str]:
    notes = list(program.facts.notes)
    notes += simulation.warnings
    notes += program.layout.notes
    notes += [note for timing in simulation.timings for note in timing.notes]
    if not program.target.has(MESSAGE_BITS):
        notes.append(
            f"{program.target.name} does not state {MESSAGE_BITS}: the bytes of messages between"
            " cores are not given"
        )
    uncertain = [
        line.name
        for line in energy.lines
        if line.mark in ("assumed", "inherited") and line.joules.any()
    ]
    if uncertain:
        notes.append(
            f"chip energy rests on inherited or assumed costs ({', '.join(uncertain)}): compare"
            " designs with it, do not quote it as a measurement"
        )
    notes += [f"chip energy does not count {text}" for text in energy.absent]
    return list(dict.fromkeys(notes))
