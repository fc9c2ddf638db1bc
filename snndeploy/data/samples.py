"""Samples with their labels: what a model is calibrated on, run with and judged by."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from snndeploy.data.binning import Binning
from snndeploy.errors import DataError
from snndeploy.metrics import Meaning, labels_are

Kind = Literal["binary", "integer", "real"]


@dataclass(frozen=True, eq=False)
class Data:
    """x: (samples, ...); y: None, (samples, ...) integer classes, or real targets.

    binning: how x was made of events, where it was.
    """

    x: np.ndarray
    y: np.ndarray | None
    scale: float
    name: str
    binning: Binning | None = None

    @property
    def signal(self) -> Kind:
        """What its values are, as the input of a model."""
        x = self.x if self.scale == 1 else self.inputs()
        if ((x == 0) | (x == 1)).all():
            return "binary"
        return "integer" if x.dtype.kind in "iu" or (x == np.rint(x)).all() else "real"

    def take(self, samples: int | None) -> Data:
        """The first `samples` (all when None)."""
        if samples is None or samples >= len(self.x):
            return self
        return replace(self, x=self.x[:samples], y=None if self.y is None else self.y[:samples])

    def inputs(self) -> np.ndarray:
        """What the model is given, float32."""
        with np.errstate(over="ignore"):  # too large becomes infinite, which is refused
            return self.x.astype(np.float32) * np.float32(self.scale)

    def fit(
        self,
        shape: tuple[int, ...],
        signal: str,
        answer: tuple[int, ...] | None = None,
        meaning: Meaning | None = None,
    ) -> Data:
        """Itself, when it is what a model takes: samples of `shape`, values of the `signal` kind.

        answer, meaning: shape of what the model answers, to which labels must belong (None: they
        are not used).

        Raises:
            DataError: another shape, values that are no such signal, or labels of other answers.
        """
        if tuple(self.x.shape[1:]) != tuple(shape):
            raise DataError(
                f"{self.name}: samples have shape {tuple(self.x.shape[1:])}, the model takes"
                f" {tuple(shape)}; reshape or resize the data"
            )
        self._check_values(signal)
        if self.y is not None and answer is not None:
            self._check_labels(self.y, answer, meaning or Meaning())
        return self

    def _check_labels(self, y: np.ndarray, answer: tuple[int, ...], meaning: Meaning) -> None:
        found = labels_are(y, answer, meaning)
        if found is None:
            wanted = "one class" if meaning.is_class else " x ".join(map(str, answer))
            raise DataError(
                f"{self.name}: y has shape {y.shape} and type {y.dtype}, the model answers {wanted}"
                " a sample; give integer classes (one a sample, or one a position of a map), or"
                " targets of the answers' shape"
            )
        if found != "classes" or meaning.is_class:
            return
        least, most, classes = int(y.min()), int(y.max()), answer[0]
        if least < 0 or most >= classes:
            raise DataError(
                f"{self.name}: y has classes {least}..{most}, the model answers {classes}"
                f" (0..{classes - 1})"
            )

    def _check_values(self, signal: str) -> None:
        x = self.inputs()
        bad = ~np.isfinite(x)
        if bad.any():
            raise DataError(
                f"{self.name}: x has {int(bad.sum())} values that are NaN or infinite"
                " (as 32-bit floats)"
            )
        if signal == "integer":
            bad = x != np.rint(x)
        elif signal == "binary":
            bad = (x != 0) & (x != 1)
        if bad.any():
            kind = {"integer": "whole numbers", "binary": "0 or 1"}[signal]
            raise DataError(
                f"{self.name}: {int(bad.sum())} values of x * scale are not {kind} (the first is"
                f" {float(x[bad][0]):g}), which the model's {signal} input needs"
            )


def checked(data: Data, where: object) -> Data:
    """Itself, when its arrays belong together; where: what they come from, in words.

    Raises:
        DataError: they do not.
    """
    if data.x.ndim < 2 or 0 in data.x.shape:
        raise DataError(f"{where}: x has shape {data.x.shape}; samples first are needed")
    if data.x.dtype.kind == "f" and not np.isfinite(data.x).all():
        bad = int((~np.isfinite(data.x)).sum())
        raise DataError(f"{where}: x has {bad} values that are NaN or infinite")
    if data.y is None:
        return data
    if data.y.shape[:1] != (len(data.x),) or data.y.dtype.kind not in "iuf" or not data.y.size:
        raise DataError(
            f"{where}: y has shape {data.y.shape} and type {data.y.dtype}; an integer class or a"
            f" target for each of the {len(data.x)} samples is needed"
        )
    if not np.isfinite(data.y).all():
        bad = int((~np.isfinite(data.y)).sum())
        raise DataError(f"{where}: y has {bad} values that are NaN or infinite")
    return data
