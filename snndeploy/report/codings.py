"""The table of `snndeploy codings` as text of at most 80 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from snndeploy.report.lines import wrap

HEAD = ("network", "T", "accuracy %", "chip %", "NASAR", "formula", "chip", "host")
NAME = 17
MICRO, MILLION = 1e3, 1e-6


def codings_text(document: Mapping[str, Any]) -> str:
    """Rows, then how they are meant, then why rows are missing."""
    rows = document["rows"]
    shown = [row for row in rows if "refused" not in row]
    parts = [
        wrap(
            f"{document['samples']:,} samples of {document['data']}, {document['target']};"
            " formula and chip: uJ a sample; host: million multiply-accumulates a sample",
            "",
        ),
        _table([HEAD, *(_cells(row) for row in shown)]),
        _meaning(document, shown),
    ]
    refused = [
        wrap(f"{row['network']} at T={row['timesteps']}: {row['refused']}", "  - ")
        for row in rows
        if "refused" in row
    ]
    if refused:
        parts.append("not computed\n" + "\n".join(refused))
    return "\n\n".join(parts) + "\n"


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    name = row["network"] if len(row["network"]) <= NAME else f"…{row['network'][1 - NAME :]}"
    other = "*" if row["timesteps"] != row["weights_of"] else " "
    return (
        name,
        f"{row['timesteps']}{other}",
        _percent(row["accuracy"], row["accuracy_spread"]),
        _percent(row["chip_accuracy"]),
        f"{row['nasar']:.4f}",
        f"{MICRO * row['formula_mj']:.2f}",
        "-" if row["chip_mj"] is None else f"{MICRO * row['chip_mj']:.2f}",
        f"{MILLION * row['host_macs']:.3f}",
    )


def _percent(share: float | None, spread: float | None = None) -> str:
    if share is None:
        return "-"
    beside = "" if spread is None else f" ±{100 * spread:.1f}"
    return f"{100 * share:.1f}{beside}"


def _meaning(document: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    own = {
        row["network"]: row["weights_of"] for row in rows if row["timesteps"] != row["weights_of"]
    }
    said = [
        f"accuracy of the float model, ± one standard deviation of a share of"
        f" {document['samples']:,} (Wilson); chip %: of the chip's integers",
        f"formula: {document['convention']}",
        "chip: dynamic and static, marks "
        + ", ".join(sorted({mark for row in rows for mark in row["chip_marks"]}))
        + "; what the host computes is not in it",
    ]
    if own:
        trained = ", ".join(f"{name} {timesteps}" for name, timesteps in own.items())
        said.append(f"*: run with the weights of another T, not trained anew: {trained}")
    return "\n".join(wrap(line, "  - ") for line in said)


def _table(rows: Sequence[Sequence[str]]) -> str:
    """The first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *rest in rows:
        cells = "".join(f"  {cell:>{w}}" for cell, w in zip(rest, widths[1:], strict=True))
        lines.append(f"  {first:<{widths[0]}}{cells}".rstrip())
    return "\n".join(lines)
