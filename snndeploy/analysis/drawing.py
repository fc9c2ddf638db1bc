"""What all pictures share: a figure as PNG bytes; the one place that imports matplotlib.

Figures are made without pyplot: no window, no global state, the same bytes for the same figures.
"""

from __future__ import annotations

import io
import logging
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import ceil
from typing import Any

import numpy as np

DPI = 120
INK, BLUE, LIGHT, RED, ORANGE = "#222222", "#2b6ca3", "#a9c8e3", "#b8312f", "#d9822b"
STYLE: dict[Any, Any] = {
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "text.parse_math": False,  # a layer may be called $x
    "figure.constrained_layout.use": True,
}
LARGEST_NAME = 48
TILE_GAP = 1  # pixels of a map between two channels

Draw = Callable[[Any], None]


def png(size: tuple[float, float], draw: Draw) -> bytes:
    with _matplotlib():
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=size, dpi=DPI)
        FigureCanvasAgg(figure)
        draw(figure)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


@contextmanager
def _matplotlib() -> Iterator[None]:
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # its font cache is its own matter
    import matplotlib

    with warnings.catch_warnings(), matplotlib.rc_context({"backend": "agg", **STYLE}):
        warnings.simplefilter("ignore")  # a glyph that the font lacks
        yield


def file_name(index: int, name: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name)
    return f"{index:03d}_{plain[-LARGEST_NAME:]}"


def short(name: str, length: int = LARGEST_NAME) -> str:
    return name if len(name) <= length else "…" + name[-(length - 1) :]


def whole_steps(axis: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(integer=True))


def tiled(values: np.ndarray, columns: int) -> np.ndarray:
    """Channels (channels, height, width) side by side, row by row, with NaN between them."""
    channels, height, width = values.shape
    rows = ceil(channels / columns)
    found = np.full((rows * (height + TILE_GAP), columns * (width + TILE_GAP)), np.nan)
    for channel in range(channels):
        top = channel // columns * (height + TILE_GAP)
        left = channel % columns * (width + TILE_GAP)
        found[top : top + height, left : left + width] = values[channel]
    return found[: -TILE_GAP or None, : -TILE_GAP or None]


def colours_of(name: str) -> Any:
    import matplotlib

    return matplotlib.colormaps[name].copy()
