"""Digits as event frames: a still image seen by an event camera that moves a little.

The method, after the way N-MNIST was recorded (three saccades of a camera in front of a screen):
the image moves by one pixel at a time along PATH, a closed walk of three straight saccades. At
each move, a pixel whose brightness (0..1) rises by more than CONTRAST gives one ON event, one
that falls by more than CONTRAST one OFF event. The moves are dealt out evenly over T frames, and
each frame holds the number of events per polarity and pixel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CONTRAST = 0.2  # in units of full brightness
_SACCADES = (
    [(1, 1)] * 4,  # down and right, in pixels (rows, columns) a move
    [(-1, 1)] * 4,  # up and right
    [(0, -1)] * 8,  # back to the left
)
PATH = tuple(move for saccade in _SACCADES for move in saccade)  # 16 moves, sum (0, 0)


def event_frames(images: NDArray[np.uint8], timesteps: int) -> NDArray[np.uint8]:
    """Images uint8 [N, 1, H, W] to event counts uint8 [N, T, 2, H, W]; polarity 0 is ON."""
    if len(PATH) % timesteps:
        raise ValueError(f"{timesteps} frames do not divide the {len(PATH)} moves evenly")
    brightness = images[:, 0].astype(np.int16)
    limit = round(255 * CONTRAST)
    count, height, width = brightness.shape
    frames = np.zeros((count, timesteps, 2, height, width), np.uint8)
    row, column = -2, -4  # the walk is centred on the camera's middle
    before = _shifted(brightness, row, column)
    for index, (down, right) in enumerate(PATH):
        row, column = row + down, column + right
        after = _shifted(brightness, row, column)
        frame = index * timesteps // len(PATH)
        frames[:, frame, 0] += after - before > limit
        frames[:, frame, 1] += before - after > limit
        before = after
    return frames


def _shifted(images: NDArray[np.int16], row: int, column: int) -> NDArray[np.int16]:
    """Images moved down by row and right by column pixels, dark where nothing is seen."""
    _, height, width = images.shape
    pad = max(abs(row), abs(column))
    wide = np.pad(images, ((0, 0), (pad, pad), (pad, pad)))
    top, left = pad - row, pad - column
    return wide[:, top : top + height, left : left + width]
