"""Several networks over several T on one data set: accuracy, rate, formula's and chip's energy.

Made for the codings of one network, whose papers compare them at one T or at a few.  A network is
run at another T than that of its SPEC with the weights that it has: nothing is trained here, and a
row says so.  What cannot be run at some T (temporal attention has a weight for every step, a phase
code takes whole repetitions) is refused in the row, with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from snndeploy.analysis.coding import codings
from snndeploy.analysis.input_code import input_codes
from snndeploy.costs.activity import measure
from snndeploy.costs.comparison import Costed, network_costs, price
from snndeploy.costs.convention import Convention
from snndeploy.data import Data
from snndeploy.errors import DeployError, ModelError
from snndeploy.frontend.door import OpenedModel, Step, silent
from snndeploy.frontend.spec import is_spec, literal_argument, parse_spec, with_literal
from snndeploy.graph import Graph
from snndeploy.ops.answer import head_of
from snndeploy.pipeline.facts import inspect
from snndeploy.pipeline.options import Options
from snndeploy.pipeline.walk import compile_opened, load_graph
from snndeploy.report import summarize
from snndeploy.shelf import ModelEntry, catalog
from snndeploy.simulator.run import simulate
from snndeploy.target import Target

ARGUMENT = "timesteps"
J_TO_MJ = 1e3


@dataclass(frozen=True)
class Network:
    """What is swept over.  spec: with a literal `timesteps`, `timesteps` being its value, for
    which the weights of `checkpoint` were made (None: it has none, and no row)."""

    name: str
    spec: str
    timesteps: int
    checkpoint: Path | None
    calibration: Path | None
    test: Path | None

    def at(self, timesteps: int) -> str:
        """The SPEC at another T."""
        return with_literal(parse_spec(self.spec), ARGUMENT, timesteps)


def network_of(typed: str) -> Network:
    """A shipped model's name, or FILE.py:FACTORY(timesteps=T, ...)@CHECKPOINT.

    Raises:
        ModelError: neither, or no literal T.
    """
    shipped = next((entry for entry in catalog() if entry.name == typed), None)
    if shipped is not None:
        return _shipped(shipped)
    spec, _, checkpoint = typed.rpartition("@")
    if not spec or not is_spec(spec):
        raise ModelError(
            f"{typed!r} is no shipped model (snndeploy models list) and not"
            f" FILE.py:FACTORY({ARGUMENT}=T, ...)@CHECKPOINT"
        )
    name = parse_spec(spec).name
    return Network(name, spec, _own_timesteps(spec), Path(checkpoint), None, None)


def _shipped(entry: ModelEntry) -> Network:
    return Network(
        entry.name, entry.file_spec, _own_timesteps(entry.file_spec), entry.weights,
        entry.calibration_data, entry.test_data,
    )  # fmt: skip


def _own_timesteps(spec: str) -> int:
    found = literal_argument(parse_spec(spec), ARGUMENT)
    if type(found) is not int or found < 1:
        raise ModelError(f"{spec} does not say {ARGUMENT}=T as a number, so T cannot be varied")
    return found


def sweep(
    networks: Sequence[Network],
    timesteps: Sequence[int],
    data: Data,
    chip: Target,
    convention: Convention,
    calibration: Path | None = None,
    step: Step = silent,
) -> dict[str, Any]:
    """The rows as JSON values, network by network.

    timesteps: empty for each network's own.  data: samples with labels of classes.  calibration:
    for networks that have none of their own.

    Raises:
        DeployError: no row could be computed; the first reason.
    """
    rows: list[dict[str, Any]] = []
    first: DeployError | None = None
    for network in networks:
        for steps in timesteps or (network.timesteps,):
            said = {"network": network.name, "timesteps": steps, "weights_of": network.timesteps}
            step(f"{network.name} at T={steps}")
            try:
                row = _row(network, steps, data, chip, convention, calibration)
            except DeployError as error:
                first, row = first or error, {"refused": str(error)}
            rows.append({**said, **row})
    if first is not None and all("refused" in row for row in rows):
        raise first
    return {
        "schema": "snndeploy.codings/1",
        "data": data.name,
        "samples": len(data.x),
        "target": chip.name,
        "convention": str(convention),
        "rows": rows,
    }


def _row(
    network: Network,
    timesteps: int,
    data: Data,
    chip: Target,
    convention: Convention,
    calibration: Path | None,
) -> dict[str, Any]:
    if network.checkpoint is None:
        raise ModelError(
            f"{network.name} is shipped without weights, so it has no accuracy; give"
            f" {network.spec}@CHECKPOINT"
        )
    opened, graph = load_graph(network.at(timesteps), network.checkpoint)
    head, entry = head_of(graph, graph.outputs[0]), graph.input
    data.fit(entry.shape[1:], entry.attributes["signal"], head.shape, head.meaning)
    costed = _costed(graph, opened, data, convention)
    source = network.calibration or calibration or opened.calibration
    if source is None:
        raise ModelError(f"{network.name} has no calibration data: give --calibration")
    program = compile_opened(opened, chip, Options(calibration=source))
    run = simulate(program, data.inputs(), reference=False)
    report = summarize(program, run, data.y, data.name)
    energy = report["energy"]["chip"]
    marks = {fact["mark"] for fact in energy["provenance"].values()}
    each = np.concatenate([part.total for part in run.energies])
    total_j = energy["total_j"]
    accuracy = costed.activity.accuracy if costed.activity else None
    return {
        "coding": coding_of(graph),
        "accuracy": accuracy,
        "accuracy_spread": spread_of(accuracy, len(data.x)),
        "nasar": costed.nasar,
        "formula_mj": costed.energy.total_mj,
        "chip_accuracy": (report["accuracy"] or {}).get("chip"),
        "chip_mj": None if total_j is None else J_TO_MJ * total_j,
        "chip_mj_standard_deviation": None if total_j is None else float(J_TO_MJ * each.std()),
        "chip_marks": sorted(marks),
        "host_macs": report["operations"]["mac_per_sample"]["encoder"],
    }


def _costed(graph: Graph, opened: OpenedModel, data: Data, convention: Convention) -> Costed:
    parted = inspect(graph)[0]
    costs = network_costs(parted, opened.facts.name, opened.facts.parameters)
    return price(costs, measure(parted, data.inputs(), data.y, data.name), convention)


def coding_of(graph: Graph) -> str:
    """The scheme by which the input is coded (`analysis`), 'other' where it is none of six."""
    neurons = [node.name for node in graph.neurons()]
    schemes: set[str] = {coding.scheme for coding in codings(graph, neurons)}
    schemes |= {code.scheme or "other" for code in input_codes(graph)}
    return schemes.pop() if len(schemes) == 1 else "other"


def spread_of(share: float | None, samples: int) -> float | None:
    """Half of the Wilson score interval at one standard deviation, of a share of n samples.

    sqrt(p (1 - p) / n + 1 / (4 n^2)) / (1 + 1 / n): near the standard error sqrt(p (1 - p) / n),
    but not zero where all samples, or none, are right.
    """
    if share is None:
        return None
    variance = share * (1 - share) / samples + 1 / (4 * samples**2)
    return float(np.sqrt(variance) / (1 + 1 / samples))
