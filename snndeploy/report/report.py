"""Report: what a simulation found, as JSON (schema `snndeploy.report/1`).

What was not computed is absent (or null where the schema names the key).  Units are in the names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from snndeploy.costs import GAC_EQUATION_11, Convention, LayerCost, PaperEnergy, paper_energy
from snndeploy.network import Dense, Network
from snndeploy.program import Program
from snndeploy.simulator.run import Simulation

SCHEMA = "snndeploy.report/1"


def summarize(
    program: Program,
    simulation: Simulation,
    labels: np.ndarray | None = None,
    data: str = "",
) -> dict[str, Any]:
    """The report of a run as JSON values.

    labels: (samples,) classes, or None.
    """
    network = program.network
    return {
        "schema": SCHEMA,
        "model": dict(program.facts["model"]),
        "target": _target(program),
        "data": data,
        "samples": simulation.samples,
        "timesteps": network.timesteps,
        "engine": simulation.engine,
        "accuracy": _accuracy(simulation, labels),
        "spikes": _spikes(simulation, network),
        "operations": _operations(program, simulation),
        "traffic": _traffic(simulation),
        "latency": _latency(program, simulation),
        "energy": {
            "chip": _chip_energy(simulation),
            **_paper_energies(program, simulation),
        },
        "partition": dict(program.facts["flags"]),
        "mapping": _mapping(program),
        "quantization": {"layers": program.facts["quantization"]},
        "shortcuts": program.facts["shortcuts"],
        "made_with": program.facts["made_with"],
        "notes": _notes(program, simulation),
    }


def _target(program: Program) -> dict[str, Any]:
    target = program.target
    return {"name": target.name, "board": target.board_name, "description": target.description}


def _accuracy(simulation: Simulation, labels: np.ndarray | None) -> dict[str, Any]:
    chip = simulation.logits.argmax(axis=1)
    reference = simulation.reference_logits
    predicted = None if reference is None else reference.argmax(axis=1)
    return {
        "reference": _fraction(predicted, labels),
        "chip": _fraction(chip, labels),
        "agreement": _fraction(chip, predicted),
    }


def _fraction(first: np.ndarray | None, second: np.ndarray | None) -> float | None:
    if first is None or second is None:
        return None
    return float(np.mean(first == second))


def _spikes(simulation: Simulation, network: Network) -> dict[str, Any]:
    layers = []
    total, sites = 0.0, 0
    for population in network.populations:
        if population.kind == "integrator":
            continue
        activity = simulation.layers[population.name]
        steps = simulation.samples * network.timesteps
        entry: dict[str, Any] = {
            "name": population.name,
            "kind": population.kind,
            "neurons": activity.neurons,
            "spikes_per_sample": activity.spikes / simulation.samples,
            "rate": activity.spikes / (activity.neurons * steps),
        }
        if activity.matching is not None:
            entry["agreement"] = activity.matching / (activity.neurons * steps)
        layers.append(entry)
        if population.kind == "lif":
            total += activity.spikes / simulation.samples
            sites += activity.neurons * network.timesteps
    return {"total_per_sample": total, "rate": total / sites if sites else None, "layers": layers}


def _operations(program: Program, simulation: Simulation) -> dict[str, Any]:
    """Multiply-accumulates the host does, and synaptic operations (events) the chip does."""
    layers = [LayerCost(**entry) for entry in program.facts["layers"]]
    encoder = sum(
        c.flops * c.repeats for c in layers if c.role in ("encoder", "encoder_attention")
    )
    synaptic = simulation.totals["synaptic_operations"]
    readout = _readout_operations(program.network, simulation)
    return {
        "mac_per_sample": {"encoder": encoder + _host_shortcuts(program), "body": 0, "readout": 0},
        "ac_per_sample": {"encoder": 0, "body": synaptic - readout, "readout": readout},
        "synaptic_operations_per_sample": {
            "encoder": 0,
            "body": synaptic - readout,
            "readout": readout,
        },
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
    total = 0.0
    for projection in network.projections:
        if network.by_name[projection.target].kind != "integrator":
            continue
        connection = projection.connection
        assert isinstance(connection, Dense)
        spikes = simulation.layers[projection.source].spikes / simulation.samples
        total += spikes * connection.weight.shape[0]
    return total


def _traffic(simulation: Simulation) -> dict[str, Any]:
    totals = simulation.totals
    hops = ("hops_east_west", "hops_north_south", "hops_inter_chip")
    host = ("host_bytes_in", "host_bytes_out")
    return {
        "messages_per_sample": totals["messages_out"],
        "messages_received_per_sample": totals["messages_in"],
        "hops_per_sample": sum(totals[name] for name in hops),
        "inter_chip_hops_per_sample": totals["hops_inter_chip"],
        "host_io_bytes_per_sample": sum(totals[name] for name in host),
        "max_link_load": simulation.largest_link_load,
        "neuron_updates_per_sample": totals["neuron_updates"],
    }


def _latency(program: Program, simulation: Simulation) -> dict[str, Any]:
    timing = simulation.timings[0]
    found: dict[str, Any] = {
        "seconds_per_sample": simulation.timing_mean("latency_seconds"),
        "pipelined_interval_seconds": simulation.timing_mean("interval_seconds"),
        "steps": program.network.chip_steps,
        "model": timing.model,
        "provenance": timing.mark,
    }
    host = simulation.timing_mean("host_seconds")
    if host is not None:
        found["host_link_seconds_per_sample"] = host
    return found


def _chip_energy(simulation: Simulation) -> dict[str, Any]:
    weights = np.array([len(energy.total) for energy in simulation.energies], dtype=float)
    weights /= weights.sum()
    breakdown: dict[str, float] = {}
    for weight, energy in zip(weights, simulation.energies, strict=True):
        for name, joules in energy.breakdown.items():
            breakdown[name] = breakdown.get(name, 0.0) + weight * joules
    lines = simulation.energies[0].lines
    return {
        "total_j": float(sum(breakdown.values())),
        "breakdown": breakdown,
        "provenance": {line.name: {"mark": line.mark, "source": line.source} for line in lines},
        "shares_by_mark": simulation.energies[0].shares,
        "absent": list(simulation.energies[0].absent),
    }


def _paper_energies(program: Program, simulation: Simulation) -> dict[str, Any]:
    """The papers' formula at the chip's own rates: S1 as headline, GAC Eq. 11 beside it."""
    layers = [LayerCost(**entry) for entry in program.facts["layers"]]
    rates = chip_rates(program, simulation)
    if rates is None:
        return {}
    steps = program.network.timesteps
    return {
        "paper": _paper(paper_energy(layers, steps, rates, Convention())),
        "paper_gac_equation_11": _paper(paper_energy(layers, steps, rates, GAC_EQUATION_11)),
    }


def chip_rates(program: Program, simulation: Simulation) -> Mapping[str, float] | None:
    """Rate of every neuron node: measured on the chip, or None when a layer is not on the chip."""
    steps = simulation.samples * program.network.timesteps
    rates = {
        population.origin: simulation.layers[population.name].spikes
        / (population.neurons * steps)
        for population in program.network.populations
    }
    layers = [LayerCost(**entry) for entry in program.facts["layers"]]
    body = [c for c in layers if c.role in ("layer", "shortcut", "readout")]
    needed = {name for cost in body for name in (*cost.driving, *cost.own)}
    return rates if needed <= set(rates) else None


def _paper(energy: PaperEnergy) -> dict[str, Any]:
    return {
        "total_mj": energy.total_mj,
        "mac_mj": energy.mac_mj,
        "ac_mj": energy.ac_mj,
        "encoder_attention_mj": energy.encoder_attention_mj,
        "convention": energy.convention,
    }


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


def _notes(program: Program, simulation: Simulation) -> list[str]:
    notes = list(program.facts["notes"])
    notes += simulation.warnings
    notes += [note for note in program.layout.notes]
    notes += [note for note in simulation.timings[0].notes]
    assumed = [
        line.name for line in simulation.energies[0].lines if line.mark in ("assumed", "inherited")
    ]
    if assumed:
        notes.append(
            f"chip energy rests on inherited or assumed costs ({', '.join(assumed)}): compare"
            " designs with it, do not quote it as a measurement"
        )
    return list(dict.fromkeys(notes))
