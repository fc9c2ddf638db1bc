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
from snndeploy.passes.signals import infer_signals
from snndeploy.shelf import catalog
from snndeploy.target import Target
from snndeploy.verdict import judge
from snndeploy.verdict.plan import READS

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "networks.md"
TARGET = "loihi2"
COLUMNS = (
    "network", "parameters", "T", "binary", "integer", "real", "attention",
    "run-time products", "whole window", "compiles", "shortcuts", "spikes", "counts", "graded",
    "synapses binary", "host MAC", "behind a neuron",
)  # fmt: skip
HEAD = f"""\
# What the shipped networks multiply

Every conv and linear layer of every network in `models/catalog.toml`, by what it receives, and the
verdict for {TARGET}, as `snndeploy inspect NAME --random-weights --target {TARGET}` gives them.
`benchmarks/networks.py` writes this page.

| column | meaning |
|---|---|
| binary | layers that read spikes as printed: accumulations |
| integer | layers that read sums of spikes, or event counts: v accumulations for a value v |
| real | layers that read real values as printed |
| attention | layers that find attention's scores, in the encoder, the body or the membrane loop; a layer that reads averages and maxima counts twice |
| run-time products | the body multiplies two signals computed at run time: a MAC unit or the host must |
| whole window | the body needs all time steps at once |
| compiles | for {TARGET}, with the default options; else everything that stands against it |
| shortcuts | how membrane shortcuts are lowered, at 0.2 spikes a neuron and step |
| spikes, counts, graded | as compiled: layers on the chip that read binary spikes, counts that the host sends, or values that a relay or attention forwards |
| synapses binary | as compiled, all of them read binary spikes |
| host MAC | multiply-accumulates a sample that the host does, as compiled |
| behind a neuron | of these, layers behind the first neuron: moved to the host because they read real values, or the encoder's part of layers on the chip |

Average pools, sums of spikes and composed shortcuts fold into kernels that read spikes, so a layer
that is real or integer as printed may read spikes as compiled. ANN counterparts are only costed.

"""  # noqa: E501


def table_row(name: str) -> str:
    """One line of the table."""
    loaded = load(name, random_weights=True)
    graph = trace(loaded.module, loaded.example, name=loaded.name, verify=False, spiking=False)
    verdict = judge(infer_signals(graph), Target.load(TARGET))
    plan, counted = verdict.plan(), audit(verdict.graph).convolutions()
    flags, reads = verdict.flags(), [layer.reads for layer in plan.layers]
    reasons = "; ".join(dict.fromkeys(violation.reason for violation in verdict.violations))
    parameters = sum(p.numel() for p in loaded.module.parameters())
    cells = [
        f"`{name}`",
        *(f"{n:,}" for n in (parameters, graph.timesteps, *counted.values())),
        *(_yes(flag) for flag in (flags.needs_dynamic_multiply, flags.needs_full_window)),
        f"no: {reasons}" if reasons else "yes",
        plan.shortcuts,
        *(f"{reads.count(kind):,}" for kind in READS),
        _yes(flags.synapses_binary),
        f"{sum(layer.macs for layer in plan.host):,}",
        f"{sum(layer.macs for layer in plan.host if layer.why != 'encoder'):,}",
    ]
    return f"| {' | '.join(cells)} |"


def _yes(answer: bool) -> str:
    return "yes" if answer else "no"


def page(rows: Sequence[str]) -> str:
    alignment = ("---", *["--:"] * 6, *["---"] * 4, *["--:"] * 3, "---", *["--:"] * 2)
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
