"""The audit that `inspect` prints: one line a layer, then the flags and reasons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from snndeploy.report.lines import bullets, wrap
from snndeploy.report.terminal import flag_lines, percent, table
from snndeploy.report.verdict import plan_text

WORK_NAMES = {
    "accumulate": "AC", "integer": "integer", "mac": "MAC", "attention": "MAC", "other": "-",
}  # fmt: skip


def audit_json(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The audit's part of a program's or a model's facts."""
    from snndeploy.ops import KINDS, Role  # not at the top: they need torch

    rows = facts["audit"]
    counted = {"binary": 0, "integer": 0, "real": 0, "attention": 0}
    for row in rows:
        if KINDS[row["op"]].role is Role.LAYER:
            counted["attention" if row["work"] == "attention" else row["input_signal"]] += 1
    return {
        "schema": "snndeploy.audit/1",
        "model": facts["model"],
        "layers": rows,
        "layers_by_input": counted,
        "partition": facts["flags"],
        "notes": list(facts["notes"]),
        **({"plan": facts["plan"]} if "plan" in facts else {}),
    }


def audit_text(found: Mapping[str, Any]) -> str:
    """At most 90 columns."""
    model = found["model"]
    head = (
        f"{model['name']}: {model['parameters']:,} parameters, T={model['timesteps']},"
        f" input {'x'.join(map(str, model['input_shape']))} ({model['input_signal']}),"
        f" weights {model['weights']}"
    )
    parts = [wrap(head, "")]
    rows = [_row(row) for row in found["layers"]]
    parts.append(table(("layer", "op", "side", "reads", "work", "operations", "share"), rows))
    kinds = dict(found["layers_by_input"])
    scores = kinds.pop("attention", 0)
    counted = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    counted += f"; {scores} more find attention's scores" if scores else ""
    hoisted = [row["layer"] for row in found["layers"] if row["hoisted"]]
    legend = [
        f"layers by what they read: {counted}",
        "operations are a sample's, at rate 1 and with zero padding, as the papers count them;"
        " neurons and products count elements",
    ]
    if hoisted:
        legend.append(
            f"constant over T, so computed once a sample: {', '.join(dict.fromkeys(hoisted))}"
        )
    parts.append(bullets(legend))
    parts.append(flag_lines(found["partition"]))
    if "plan" in found:
        parts.append(plan_text(found["plan"], compiles=found.get("compiles", True)))
    if found["notes"]:
        parts.append("Notes\n" + bullets(found["notes"]))
    return "\n\n".join(parts) + "\n"


def _row(row: Mapping[str, Any]) -> tuple[str, ...]:
    side = row["side"]
    work = WORK_NAMES[row["work"]]
    if row["rewrite"] and row["work"] == "mac":
        work = "MAC->AC"
    share = percent(row["share"]) if row["share"] else ""
    return (
        row["layer"] or "(model)", row["op"], side, row["input_signal"], work,
        f"{row['operations']:,}", share,
    )  # fmt: skip
