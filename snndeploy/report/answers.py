"""What is read of the answers: accuracy of classes, distances of values, other heads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from snndeploy.report.lines import wrap

Numbers = Mapping[str, Any]

ERRORS = {
    "mse": "mean squared error",
    "mae": "mean absolute error",
    "largest": "largest difference",
    "correlation": "correlation (Pearson)",
}
PAIRS = {
    "reference": "float to target",
    "chip": "chip to target",
    "agreement": "chip to float",
}


def shows_error(found: Numbers) -> bool:
    """Values are what counts: there are targets, or there is no class."""
    error = found.get("error") or {}
    known = any(pair is not None for pair in error.values())
    return error.get("chip") is not None or (known and found.get("accuracy_of") is None)


def error_rows(error: Numbers) -> tuple[list[str], list[tuple[str, ...]]]:
    """Head and rows of a table of those pairs that were compared."""
    known = [key for key in PAIRS if error.get(key) is not None]
    rows = [(words, *(number(error[key][name]) for key in known)) for name, words in ERRORS.items()]
    return ["", *(PAIRS[key] for key in known)], rows


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def accuracy_note(found: Numbers) -> str:
    """What was compared, where it is not one class a sample."""
    of = found.get("accuracy_of")
    return "" if of in (None, "class") else f"of the {of}"


def heads_text(heads: Sequence[Numbers]) -> str:
    """A line for every head but the first, beside the float model's."""
    lines = []
    for index, head in enumerate(heads, start=2):
        error, same = head["error"]["agreement"], head["accuracy"]["agreement"]
        if error is None:
            continue
        text = f"head {index} ({head['name']}): chip to float mean absolute error"
        text += f" {number(error['mae'])}, largest {number(error['largest'])}"
        if same is not None:
            text += f", same class {100 * same:.2f} %"
        lines.append(wrap(text))
    return "\n".join(["Other heads", *lines]) if lines else ""
