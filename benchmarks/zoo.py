"""Compiles every shipped network for two chips: writes docs/zoo.md.

    python benchmarks/zoo.py                 all networks: an hour and a half on two cores
    python benchmarks/zoo.py NAME ...        prints the rows of some
    python benchmarks/zoo.py --merge FILE    writes the page from kept rows (one JSON a line)

Each network is compiled in a process of its own, at full size, with its trained weights or random
ones, for loihi2 and hybrid45nm, mapped by tiles without annealing.  Memory is the process's peak.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from snndeploy.errors import DeployError
from snndeploy.files.writing import write_bytes
from snndeploy.pipeline import Options, compile_opened, load_graph
from snndeploy.shelf import catalog, model_entry
from snndeploy.target import Target

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "zoo.md"
TARGETS = ("loihi2", "hybrid45nm")
HEAD = """\
# The shipped networks, compiled

Every network of `models/catalog.toml` at full size, for `loihi2` and for `hybrid45nm` (a MAC unit
beside the cores; [attention.md](attention.md)), with its trained weights or random ones. Written by
`benchmarks/zoo.py` on two cores that had other work to do, so times are upper bounds. Mapped by
tiles, without annealing. ANN counterparts have no spikes to run: they are only costed
([costs.md](costs.md)). What inspects, and why, is in [networks.md](networks.md). The rows are of
the state before mappings were priced as runs are: since then a few small networks take other
numbers of cores, and a refusal lists all its reasons. The column `loihi2` has the sizes of Intel's
brief, today's `loihi2-brief`; with those of Intel's compiler networks take about twice the cores.

| network | T | neurons | loihi2 | hybrid45nm | trace | peak |
|---|---|---|---|---|---|---|
"""


def compiled(name: str) -> dict[str, Any]:
    """What one network becomes on every target."""
    began = time.perf_counter()
    untrained = model_entry(name).weights is None
    found: dict[str, Any] = {"name": name}
    try:
        opened, graph = load_graph(name, random_weights=untrained)
    except DeployError as error:
        return {**found, "refused": str(error), "seconds": time.perf_counter() - began}
    found |= {"timesteps": graph.timesteps, "seconds": time.perf_counter() - began}
    for target in TARGETS:
        found[target] = _one(opened, target)
    found["peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return found


def _one(opened: Any, target: str) -> dict[str, Any]:
    began = time.perf_counter()
    try:
        made = compile_opened(opened, Target.load(target), Options(mapping="tiles"))
    except DeployError as error:
        return {"refused": str(error), "seconds": time.perf_counter() - began}
    return {
        "cores": made.layout.cores,
        "chips": made.layout.chips,
        "steps": made.network.chip_steps,
        "neurons": made.network.neurons,
        "seconds": time.perf_counter() - began,
    }


def row(found: dict[str, Any]) -> str:
    if "refused" in found:
        return f"| `{found['name']}` | | | {_short(found['refused'])} | | | |\n"
    neurons = max((found[t].get("neurons", 0) for t in TARGETS), default=0)
    cells = [
        f"`{found['name']}`",
        str(found["timesteps"]),
        f"{neurons:,}" if neurons else "",
        *(_cell(found[target]) for target in TARGETS),
        f"{found['seconds']:.0f} s",
        f"{found['peak_bytes'] / 2**30:.1f} GiB",
    ]
    return f"| {' | '.join(cells)} |\n"


def _cell(found: dict[str, Any]) -> str:
    if "refused" in found:
        return f"refused: {_short(found['refused'])}"
    plural = "s" if found["chips"] > 1 else ""
    return (
        f"{found['cores']:,} cores, {found['chips']} chip{plural}, {found['steps']} steps"
        f" ({found['seconds']:.0f} s)"
    )


def _short(reason: str) -> str:
    return reason.split(";")[0].replace("|", "/")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("names", nargs="*")
    arguments.add_argument("--one", help=argparse.SUPPRESS)
    arguments.add_argument("--merge", type=Path)
    given = arguments.parse_args()
    if given.one:
        print(json.dumps(compiled(given.one)))
        return
    if given.merge:
        rows = [json.loads(line) for line in given.merge.read_text().splitlines()]
    else:
        rows = [_apart(name) for name in given.names or [entry.name for entry in catalog()]]
    order = {entry.name: index for index, entry in enumerate(catalog())}
    text = "".join(row(found) for found in sorted(rows, key=lambda found: order[found["name"]]))
    if given.names:
        print(text, end="")
    else:
        write_bytes(DOCUMENT, (HEAD + text).encode())


def _apart(name: str) -> dict[str, Any]:
    """In a process of its own, so that its peak memory is its own."""
    command = [sys.executable, __file__, "--one", name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(json.dumps(found), file=sys.stderr, flush=True)
    return found


if __name__ == "__main__":
    main()
