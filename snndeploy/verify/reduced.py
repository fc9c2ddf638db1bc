"""Reduce a program and show on data what that saved and what it changed.

Both programs run on the same held-back samples: sizes, messages, synaptic operations, time and
energy before and after, the spikes of every neuron that stayed, and the predictions.  Where every
removal is proved, a difference is a bug of ours, and asserted; where channels went because they
were silent or steady on calibration data, the difference is reported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any, Literal

import numpy as np

from snndeploy import metrics
from snndeploy.data import Data
from snndeploy.engines.activity import Activity
from snndeploy.engines.engine import run_network
from snndeploy.layout.layout import Layout
from snndeploy.network import SILENT, STEADY, Network
from snndeploy.program import Program
from snndeploy.reduce.reduce import Observed, Reduction, neurons_left, reduce
from snndeploy.simulator.answers import heads_of, logits_of
from snndeploy.simulator.run import Simulation, check_input, encode, simulate

Mode = Literal["exact", "calibrated"]

MOST_SAMPLES = 256
MOST_WORK = 100_000_000_000  # synaptic taps of one run over all samples
BATCH_ELEMENTS = 60_000_000  # recorded neuron values of both programs in one batch


def reduce_program(
    program: Program,
    mode: Mode,
    calibration: np.ndarray,
    held_back: Data,
    remap: Callable[[Network], Layout],
) -> Program:
    """The program without redundant channels; its facts say under "reduction" what was found.

    calibration: (samples, ...) inputs on which 'calibrated' looks for silent and steady channels.
    held_back: what both programs are compared on.  remap: cores for the reduced network.
    """
    check_input(program, held_back.inputs())
    observed = observe(program, calibration) if mode == "calibrated" else None
    found = reduce(program.network, program.target, observed)
    after = program
    if found.removals:
        after = replace(program, network=found.network, layout=remap(found.network))
    facts = _facts(program, after, found, mode, observed, held_back)
    notes = (*program.facts.notes, *notes_of(facts))
    return replace(after, facts=replace(program.facts, reduction=facts, notes=notes))


def observe(program: Program, x: np.ndarray) -> Observed:
    """Which neurons never fire on data, and which at every step."""
    network, count = program.network, _affordable(program, len(x))
    spiking = [p for p in network.populations if p.neuron.fires]
    never = {p.name: np.ones(p.shape, dtype=bool) for p in spiking}
    always = {p.name: np.ones(p.shape, dtype=bool) for p in spiking}
    for start in range(0, count, size := _batch_size(program)):
        activity = _run(program, x[start : min(start + size, count)], list(never))
        for name, spikes in activity.spikes.items():
            never[name] &= ~spikes.any(axis=(0, 1))
            always[name] &= spikes.all(axis=(0, 1))
    return Observed(count, never, always)


def _affordable(program: Program, samples: int) -> int:
    network = program.network
    each = sum(count for _, count in network.synapses()) * network.timesteps
    return int(np.clip(MOST_WORK // max(each, 1), 1, min(samples, MOST_SAMPLES)))


def _batch_size(program: Program) -> int:
    each = 2 * program.network.neurons * program.network.timesteps
    return max(1, BATCH_ELEMENTS // max(each, 1))


def _run(program: Program, x: np.ndarray, names: list[str]) -> Activity:
    injected, _ = encode(program, x.astype(np.float32))
    return run_network(program.network, injected, record=names, samples=len(x))


def _facts(
    before: Program,
    after: Program,
    found: Reduction,
    mode: Mode,
    observed: Observed | None,
    held_back: Data,
) -> dict[str, Any]:
    part = held_back.take(_affordable(before, len(held_back.x)))
    spikes, missed, answers = _compared(before, after, part.inputs())
    if found.proved:
        changed = [entry["population"] for entry in (*spikes, *missed) if entry["changed"]]
        assert not changed, f"a proved removal changed the spikes of {', '.join(changed)}"
        assert np.array_equal(answers[0], answers[1]), "a proved removal changed an answer"
    head = heads_of(before)[0]
    predicted = [
        metrics.classes(logits_of(before.network, outputs), head.shape, head.meaning)
        for outputs in answers
    ]
    runs = [simulate(program, part.inputs(), reference=False) for program in (before, after)]
    facts: dict[str, Any] = {
        "mode": mode,
        "proved": found.proved,
        "calibration_samples": observed.samples if observed else None,
        "removed": [asdict(removal) for removal in found.removals],
        "left": [asdict(skip) for skip in found.skips],
        "neurons_left": [
            {"population": name, "never": never, "always": always}
            for name, never, always in (neurons_left(after.network, observed) if observed else ())
        ],
        "before": _cost(before, runs[0]),
        "after": _cost(after, runs[1]),
        "energy_absent": list(runs[0].energies[0].absent),
        "held_back": {"data": held_back.name, "samples": len(part.x)},
        "spikes": spikes,
        "removed_spikes": missed,
        "predictions_unchanged": _unchanged(*predicted),
        "constant_over_time": _constant(after.network),
    }
    labels = None if part.y is None else metrics.labels_are(part.y, head.shape, head.meaning)
    if part.y is not None and labels in ("classes", "sign"):
        accuracy = [metrics.same(found, part.y) for found in predicted]
        facts["accuracy"] = {"before": accuracy[0], "after": accuracy[1]}
    return facts


def _unchanged(before: np.ndarray, after: np.ndarray) -> int:
    """Samples whose classes, at every position, are the same."""
    alike = (before == after).reshape(len(before), -1)
    return int(alike.all(axis=1).sum())


Counts = list[dict[str, Any]]
"""By population: (neuron, step) pairs compared, and how many differ."""


def _compared(
    before: Program, after: Program, x: np.ndarray
) -> tuple[Counts, Counts, list[np.ndarray]]:
    """Spikes of what stayed; of what went, against its record; outputs of both programs."""
    names = [p.name for p in after.network.populations if p.neuron.on_chip and p.neuron.sends]
    whole = list(dict.fromkeys([*names, *(e.population for e in after.network.reduced)]))
    stayed, gone = _Count(), _Count()
    answers: list[list[np.ndarray]] = [[], []]
    for start in range(0, len(x), size := _batch_size(before)):
        part = x[start : start + size]
        was, now = _run(before, part, whole), _run(after, part, names)
        answers[0].append(was.outputs)
        answers[1].append(now.outputs)
        for name in names:
            stayed.add(name, after.network.kept_of(name, was.spikes[name]), now.spikes[name])
        for entry in after.network.reduced:
            for place, fires in ((SILENT, False), (STEADY, True)):
                spikes = was.spikes[entry.population][:, :, entry.place == place] != 0
                gone.add(entry.population, spikes, np.full_like(spikes, fires))
    return stayed.counts(), gone.counts(), [np.concatenate(outputs) for outputs in answers]


class _Count:
    """Differences by population, over batches."""

    def __init__(self) -> None:
        self.found: dict[str, tuple[int, int]] = {}

    def add(self, name: str, was: np.ndarray, now: np.ndarray) -> None:
        changed, compared = self.found.get(name, (0, 0))
        self.found[name] = (changed + int((was != now).sum()), compared + now.size)

    def counts(self) -> Counts:
        return [
            {"population": name, "changed": changed, "compared": compared}
            for name, (changed, compared) in self.found.items()
            if compared
        ]


def _cost(program: Program, run: Simulation) -> dict[str, Any]:
    """Sizes, and means a sample; a number that the target cannot give is None."""
    network, layout = program.network, program.layout
    memory = layout.use.get("synapse_memory_bytes")
    joules = [energy.total for energy in run.energies if energy.lines]
    return {
        "neurons": network.neurons,
        "synapses": sum(count for _, count in network.synapses()),
        "synapse_memory_bytes": None if memory is None else int(memory.sum()),
        "cores": layout.cores,
        "chips": layout.chips,
        "chip_steps": network.chip_steps,
        "messages": run.totals["messages_out"],
        "host_bytes": run.totals["host_bytes_in"],
        "synaptic_operations": run.totals["synaptic_operations"],
        "latency_seconds": run.timing_mean("latency_seconds"),
        "energy_joules": float(np.concatenate(joules).mean()) if joules else None,
    }


def _constant(network: Network) -> dict[str, list[str]]:
    """Populations whose host input is the same at every step, loaded once a sample, and others."""
    once = [i.target for i in network.injections if i.mode == "bias"]
    return {
        "loaded_once": once,
        "sent_every_step": [i.target for i in network.injections if i.mode != "bias"],
    }


def notes_of(facts: dict[str, Any]) -> list[str]:
    """What the report says of a reduction."""
    removed = facts["removed"]
    option = f"--reduce {facts['mode']}"
    if not removed:
        return [f"{option} found no channel to remove"]
    neurons = sum(entry["neurons"] for entry in removed)
    if facts["proved"]:
        return [f"{option} removed {neurons:,} neurons; spikes and answers are equal by proof"]
    unproved = sum(entry["neurons"] for entry in removed if not entry["proved"])
    changed, compared = (sum(e[key] for e in facts["spikes"]) for key in ("changed", "compared"))
    missed = sum(entry["changed"] for entry in facts["removed_spikes"])
    samples = facts["held_back"]["samples"]
    text = (
        f"{option} removed {neurons:,} neurons, {unproved:,} of them for what they did on"
        f" {facts['calibration_samples']} calibration samples, without proof; on {samples} samples"
        f" of {facts['held_back']['data']} {missed:,} of their spikes are not as assumed,"
        f" {changed:,} of {compared:,} spikes of the others"
        f" changed, {facts['predictions_unchanged']} of {samples} predictions are unchanged"
    )
    if "accuracy" in facts:
        accuracy = facts["accuracy"]
        text += f", accuracy {accuracy['before']:.2%} before and {accuracy['after']:.2%} after"
    return [text]
