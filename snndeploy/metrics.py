"""What answers are compared by: classes where there are classes, distances where there are values.

    accuracy      part of the samples (and positions) whose class is the label's
    mse, mae      mean of the squared, of the absolute difference; largest: the largest of these
    correlation   Pearson's r of all values; absent where one side does not vary

A single output has no classes: with labels of 0 and 1 its sign is the class, which is said; else
labels are targets, and so are real ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any, Literal

import numpy as np

Labels = Literal["classes", "sign", "targets"]


@dataclass(frozen=True)
class Meaning:
    """is_class: an answer is the class itself, not scores.  level: above it, a single output says
    yes."""

    is_class: bool = False
    level: float = 0.0


def labels_are(y: np.ndarray, shape: tuple[int, ...], meaning: Meaning) -> Labels | None:
    """What labels (samples, ...) are to answers of a shape; None: they do not go together."""
    plane, given = shape if meaning.is_class else shape[1:], y.shape[1:]
    if y.dtype.kind in "iu" and (given == plane or (given == shape and shape[0] == 1)):
        if meaning.is_class or shape[0] > 1:
            return "classes"
        return "sign" if bool(np.isin(y, (0, 1)).all()) else "targets"
    same = given == shape or (given == plane and shape[:1] == (1,))
    return "targets" if same and not meaning.is_class else None


def classes(answers: np.ndarray, shape: tuple[int, ...], meaning: Meaning) -> np.ndarray:
    """The class of every sample (and position) from answers (samples, values)."""
    whole = answers.reshape(len(answers), *shape)
    if meaning.is_class:
        return np.rint(whole).astype(np.int64)
    if shape[0] == 1:
        return (whole[:, 0] > meaning.level).astype(np.int64)
    found: np.ndarray = whole.argmax(axis=1)
    return found


def same(first: np.ndarray, second: np.ndarray) -> float:
    """The part of equal classes."""
    return float(np.mean(first.reshape(-1) == second.reshape(-1)))


def difference(found: np.ndarray, wanted: np.ndarray) -> dict[str, float | None]:
    """How far values are from others of the same number."""
    first, second = (np.asarray(v, dtype=np.float64).reshape(-1) for v in (found, wanted))
    away = np.abs(first - second)
    return {
        "mse": float(np.mean(np.square(away))),
        "mae": float(away.mean()),
        "largest": float(away.max()),
        "correlation": _correlation(first, second),
    }


def _correlation(first: np.ndarray, second: np.ndarray) -> float | None:
    one, two = first - first.mean(), second - second.mean()
    both = float(np.sqrt((one @ one) * (two @ two)))
    return float(np.clip(one @ two / both, -1.0, 1.0)) if both > 0 else None


WORDS = {"classes": "class", "sign": "sign of the output", "targets": ""}


def scores(
    chip: np.ndarray,
    reference: np.ndarray | None,
    y: np.ndarray | None,
    shape: tuple[int, ...],
    meaning: Meaning,
) -> dict[str, Any]:
    """accuracy: of classes, and what they are (accuracy_of); None where there are none.  error:
    distances, of the float model and the chip to targets, and as agreement between the two."""
    labels = None if y is None else labels_are(y, shape, meaning)
    assert y is None or labels is not None, "labels were checked when they were read"
    scored = meaning.is_class or shape[0] > 1
    by_class = labels in ("classes", "sign") or (labels is None and scored)
    accuracy: dict[str, Any] = dict.fromkeys(("reference", "chip", "agreement"))
    of = None
    if by_class:
        ours = classes(chip, shape, meaning)
        theirs = None if reference is None else classes(reference, shape, meaning)
        plane = " at every position" if ours.ndim > 1 and prod(ours.shape[1:]) > 1 else ""
        accuracy = {
            "reference": None if y is None or theirs is None else same(theirs, y),
            "chip": None if y is None else same(ours, y),
            "agreement": None if theirs is None else same(ours, theirs),
        }
        of = WORDS[labels or "classes"] + plane
    targets = y if labels == "targets" else None
    error = {
        "reference": None
        if targets is None or reference is None
        else difference(reference, targets),
        "chip": None if targets is None else difference(chip, targets),
        "agreement": None if reference is None else difference(chip, reference),
    }
    return {"accuracy": accuracy, "accuracy_of": of, "error": error}
