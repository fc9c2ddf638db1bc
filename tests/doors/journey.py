"""Somebody else's network on its whole way, and the row of docs/doors.md that it makes.

Each test of this folder lets `journey` take one network from its SPEC to a simulated program, as
the command line would, and asserts on what comes back.  With SNNDEPLOY_DOORS_TABLE=FOLDER every
journey also writes its row there; `python tests/doors/table.py FOLDER` makes the table of them.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from snndeploy import pipeline
from snndeploy.data import Data
from snndeploy.errors import DeployError
from snndeploy.frontend.door import SpecOptions, silent
from snndeploy.passes.signals import infer_signals
from snndeploy.pipeline.converted import open_converted
from snndeploy.pipeline.options import Options
from snndeploy.program import Program
from snndeploy.simulator.run import Simulation, simulate
from snndeploy.target import Target

LEFT_OPEN = ("not verified", "verified alone")  # in the notes of a proof
STAGES = ("traced", "equal", "audited", "compiled", "simulated")


@dataclass(frozen=True)
class Row:
    """How far a network came.

    system, version: the framework or the paper.  network: which of its networks.  door: torch, nir,
    onnx, netx.  lines: what the user writes besides naming factory, path, checkpoint and data.
    reached: the last of STAGES; equal: the graph computes what the module does, all neurons firing.
    said: the refusal, or what the proof left open.
    """

    system: str
    version: str
    network: str
    door: str
    target: str
    lines: int
    reached: str = ""
    said: str = ""


@dataclass(frozen=True, eq=False)
class Journey:
    """A row, and what was made on the way (None where it did not come so far)."""

    row: Row
    opened: Any = None
    program: Program | None = None
    simulation: Simulation | None = None
    error: DeployError | None = None


def journey(
    system: str,
    version: str,
    network: str,
    spec: str,
    data: Data | None = None,
    *,
    target: str = "loihi2",
    door: str = "torch",
    lines: int = 0,
    samples: int = 2,
    options: Options | None = None,
    **given: Any,
) -> Journey:
    """From a SPEC to a simulated program; given: the fields of `frontend.door.SpecOptions`.

    data: what it is calibrated on and run with; without any it is compiled on random inputs and
    not simulated.
    """
    found = Journey(Row(system, version, network, door, target, lines))
    try:
        for so_far in _walk(found, spec, data, target, samples, options or Options(), given):
            found = so_far
    except DeployError as error:
        found = replace(found, row=replace(found.row, said=str(error)), error=error)
    _write(found.row)
    return found


def _walk(
    found: Journey,
    spec: str,
    data: Data | None,
    target: str,
    samples: int,
    options: Options,
    given: dict[str, Any],
) -> Any:
    if options.convert:
        balanced = replace(options, calibration=data)
        opened, _ = open_converted(spec, SpecOptions(**given), balanced, silent)
        graph = infer_signals(opened.graph)
    else:
        opened, graph = pipeline.load_graph(spec, data=data, **given)
    left_open = tuple(note for note in graph.notes if any(said in note for said in LEFT_OPEN))
    found = replace(found, opened=opened)
    yield _at(found, "traced", "; ".join(left_open))
    if not left_open:
        yield (found := _at(found, "equal"))
    pipeline.inspect(graph)
    yield (found := _at(found, "audited", "; ".join(left_open)))
    options = options if data is None else replace(options, calibration=data)
    program = pipeline.compile_opened(opened, Target.load(target), options)
    found = replace(found, program=program)
    yield (found := _at(found, "compiled", found.row.said))
    if data is None:
        return
    simulation = simulate(program, data.take(samples).inputs())
    yield _at(replace(found, simulation=simulation), "simulated", found.row.said)


def _at(found: Journey, stage: str, said: str = "") -> Journey:
    return replace(found, row=replace(found.row, reached=stage, said=said))


def _write(row: Row) -> None:
    folder = os.environ.get("SNNDEPLOY_DOORS_TABLE")
    if not folder:
        return
    name = re.sub(r"[^A-Za-z0-9]+", "-", f"{row.system}-{row.network}-{row.door}-{row.target}")
    path = Path(folder) / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(row), indent=1) + "\n", encoding="utf-8")


def rows(folder: Path) -> Sequence[Row]:
    """The rows that journeys wrote there."""
    return [Row(**json.loads(path.read_text("utf-8"))) for path in sorted(folder.glob("*.json"))]
