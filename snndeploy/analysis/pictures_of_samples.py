"""Pictures of single samples: where one of them makes a layer spike, over T and over channels.

The papers' case studies average one sample over steps and channels (MA section 7.3).  Beside that
map stand the means over the channels at every step, and over the steps for every channel.
"""

from __future__ import annotations

from math import ceil, sqrt
from typing import Any

import numpy as np

from snndeploy.analysis.drawing import TILE_GAP, Draw, colours_of, file_name, short, tiled
from snndeploy.analysis.layers import SpikingLayer
from snndeploy.analysis.result import Analysis

MOST_STEPS = 16  # maps of single steps, of a longer window at even distances


def drawn_samples(analysis: Analysis) -> dict[str, tuple[tuple[float, float], Draw]]:
    """By file name, the size and the drawing of every kept sample and layer with positions."""
    found = {}
    for row, sample in enumerate(analysis.settings.samples):
        for index, layer in enumerate(analysis.layers):
            if layer.name in analysis.sample_spikes and layer.shape[1] * layer.shape[2] > 1:
                name = f"sample_{sample:05d}_{file_name(index, layer.name)}.png"
                spikes = analysis.sample_spikes[layer.name][row]
                found[name] = _drawn(layer, sample, spikes, shown_steps(analysis))
    return found


def shown_steps(analysis: Analysis) -> list[int]:
    """The chosen steps, or all of them, or as many as fit, from 1."""
    if analysis.settings.steps:
        return list(analysis.settings.steps)
    shown = min(analysis.timesteps, MOST_STEPS)
    return np.unique(np.linspace(1, analysis.timesteps, shown).round().astype(int)).tolist()


def _drawn(
    layer: SpikingLayer, sample: int, spikes: np.ndarray, steps: list[int]
) -> tuple[tuple[float, float], Draw]:
    """spikes: bool (timesteps, channels, height, width)."""
    over_time_and_channels = spikes.mean(axis=(0, 1))
    over_channels = spikes.mean(axis=1)[np.array(steps) - 1]
    over_time = spikes.mean(axis=0)
    columns = ceil(sqrt(len(over_time) * (layer.shape[1] + TILE_GAP) / (layer.shape[2] + TILE_GAP)))
    step_columns = min(len(steps), ceil(sqrt(2 * len(steps))))
    mosaics = (tiled(over_channels, step_columns), tiled(over_time, columns))
    said = ", ".join(map(str, steps))

    def draw(figure: Any) -> None:
        first, second, third = figure.subplots(1, 3, width_ratios=[1, 1.6, 1.6])
        _image(figure, first, over_time_and_channels, "mean over t and channels")
        _image(figure, second, mosaics[0], f"over channels, t = {said}")
        _image(figure, third, mosaics[1], f"over t, {len(over_time)} channels")
        figure.suptitle(
            f"{short(layer.name)}: sample {sample}, spikes a neuron and step", x=0.01, ha="left"
        )

    return (9.6, 3.2), draw


def _image(figure: Any, axes: Any, values: np.ndarray, title: str) -> None:
    colours = colours_of("viridis")
    colours.set_bad("white")
    image = axes.imshow(values, cmap=colours, vmin=0, interpolation="nearest")
    axes.set_axis_off()
    axes.set_title(short(title, 44), fontsize=8)
    bar = figure.colorbar(image, ax=axes, orientation="horizontal", shrink=0.9, pad=0.03)
    bar.outline.set_visible(False)
