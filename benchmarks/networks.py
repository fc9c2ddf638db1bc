"""Writes docs/networks.md: what every conv and linear layer of the shipped networks reads.

    .venv/bin/python benchmarks/networks.py            all networks: ten minutes
    .venv/bin/python benchmarks/networks.py NAME ...   prints the rows of some

Networks without shipped weights get random ones; the table does not depend on weights.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from snndeploy.files.writing import write_bytes
from snndeploy.frontend.load import load
from snndeploy.frontend.torch import trace
from snndeploy.passes.audit import audit
from snndeploy.passes.partition import partition
from snndeploy.passes.signals import infer_signals
from snndeploy.shelf import catalog

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "networks.md"
COLUMNS = (
    "network", "parameters", "T", "binary", "integer", "real", "attention",
    "synapses binary", "run-time products", "whole window",
)  # fmt: skip
HEAD = """\
# What the shipped networks multiply

Every conv and linear layer of every network in `models/catalog.toml`, by what it receives, as
`snndeploy inspect NAME --random-weights` counts them. `benchmarks/networks.py` writes this page.

| column | meaning |
|---|---|
| binary | layers that read spikes: accumulations |
| integer | layers that read sums of spikes, or event counts: v accumulations for a value v |
| real | layers that read real values: multiply-accumulates, unless linearity moves them to spikes |
| attention | layers that find attention's scores, in the encoder, the body or the membrane loop; a layer that reads averages and maxima counts twice |
| synapses binary | all layers on the chip read spikes after rewriting: average pools, membrane shortcuts and sums of spikes fold into kernels |
| run-time products | the body multiplies two signals computed at run time: a MAC unit or the host must |
| whole window | the body needs all time steps at once |

The first layer of a static image is real, and runs on the host. A readout of mean spike counts is
real too, and folds into one projection. MS-ResNet's 1x1 shortcuts read membranes: real as printed,
spike-driven after composing. ANN counterparts are only costed.

"""  # noqa: E501


def table_row(name: str) -> str:
    """One line of the table."""
    loaded = load(name, random_weights=True)
    graph = trace(loaded.module, loaded.example, name=loaded.name, verify=False, spiking=False)
    found = audit(partition(infer_signals(graph)))
    counted, flags = found.convolutions(), found.flags
    answers = (flags.synapses_binary, flags.needs_dynamic_multiply, flags.needs_full_window)
    parameters = sum(p.numel() for p in loaded.module.parameters())
    numbers = (parameters, graph.timesteps, *counted.values())
    cells = (f"`{name}`", *(f"{n:,}" for n in numbers), *("yes" if a else "no" for a in answers))
    return f"| {' | '.join(cells)} |"


def page(rows: Sequence[str]) -> str:
    alignment = ("---", *["--:"] * 6, *["---"] * 3)
    table = [f"| {' | '.join(COLUMNS)} |", f"|{'|'.join(alignment)}|", *rows]
    return HEAD + "\n".join(table) + "\n"


def main(names: Sequence[str]) -> None:
    rows = []
    for name in names or [entry.name for entry in catalog()]:
        rows.append(table_row(name))
        print(rows[-1], flush=True)
    if not names:
        write_bytes(DOCUMENT, page(rows).encode())


if __name__ == "__main__":
    main(sys.argv[1:])
