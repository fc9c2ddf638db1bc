"""Pictures of an analysis as PNG bytes."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, sqrt
from typing import Any

import numpy as np

from snndeploy.analysis.coding import PeriodSums
from snndeploy.analysis.drawing import (
    BLUE,
    INK,
    LIGHT,
    ORANGE,
    RED,
    TILE_GAP,
    Draw,
    colours_of,
    file_name,
    png,
    short,
    tiled,
    whole_steps,
)
from snndeploy.analysis.layers import SpikingLayer
from snndeploy.analysis.membranes import Membranes
from snndeploy.analysis.noise_picture import noise
from snndeploy.analysis.patterns import noise_channels
from snndeploy.analysis.pictures_of_samples import drawn_samples
from snndeploy.analysis.rates import LayerRates, network_rates
from snndeploy.analysis.result import Analysis

RATE = "spikes a neuron and step"
SHARE = "part of the samples"
LABELLED_CHANNELS = 16

Progress = Callable[[int, int], None]


def pictures(analysis: Analysis, progress: Progress | None = None) -> dict[str, bytes]:
    """PNG files by name: rates over steps and layers, maps and membranes of every detailed layer,
    firing periods of the encoder; maps at chosen steps and of single samples."""
    drawn: dict[str, tuple[tuple[float, float], Draw]] = {
        "nsar.png": ((6.4, 3.6), lambda figure: _nsar(figure, analysis)),
        "lasar.png": (_bars_size(len(analysis.layers)), lambda figure: _lasar(figure, analysis)),
    }
    for index, layer in enumerate(analysis.layers):
        if layer.name not in analysis.detailed:
            continue
        rates, membranes = analysis.rates[layer.name], analysis.membranes[layer.name]
        name = file_name(index, layer.name)
        drawn[f"asrv_{name}.png"] = _maps(layer, rates)
        if layer.shape[1] * layer.shape[2] > 1:
            for step in analysis.settings.steps:
                drawn[f"asrv_{name}_step_{step:03d}.png"] = _mosaic(
                    layer, rates.n_sfr[step - 1], f"N-SFR maps at step {step}", SHARE
                )
        drawn[f"membranes_{name}.png"] = _membranes(layer, membranes)
        drawn[f"noise_{name}.png"] = noise(short(layer.name), rates, membranes)
    for index, periods in enumerate(analysis.periods):
        drawn[f"firing_period_{index:03d}.png"] = _periods(periods)
    drawn |= drawn_samples(analysis)
    found = {}
    for count, (name, (size, draw)) in enumerate(drawn.items(), start=1):
        found[name] = png(size, draw)
        if progress:
            progress(count, len(drawn))
    return found


def _subject(analysis: Analysis) -> str:
    of = "float model" if analysis.of == "model" else f"integers on {analysis.target}"
    return f"{short(analysis.name)}, {of}, {analysis.samples:,} samples"


def _nsar(figure: Any, analysis: Analysis) -> None:
    axes = figure.add_subplot()
    steps = np.arange(1, analysis.timesteps + 1)
    for layer in analysis.layers:
        line = axes.plot(steps, analysis.rates[layer.name].lsar, color=LIGHT, linewidth=1)[0]
    line.set_label("LSAR of each layer")
    everything = network_rates(list(analysis.rates.values()))
    assert everything is not None
    axes.plot(steps, everything.nsar, color=BLUE, linewidth=2, marker="o", label="NSAR")
    axes.axhline(everything.nasar, color=INK, linewidth=1, linestyle="--",
                 label=f"NASAR {everything.nasar:.4f}")  # fmt: skip
    axes.set_xlabel("time step t")
    axes.set_ylabel("spikes a neuron")
    axes.set_ylim(bottom=0)
    whole_steps(axes.xaxis)
    axes.set_title(f"Spiking activity rate over time\n{_subject(analysis)}")
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _bars_size(layers: int) -> tuple[float, float]:
    return 6.4, min(1.4 + 0.24 * layers, 40.0)


def _lasar(figure: Any, analysis: Analysis) -> None:
    axes = figure.add_subplot()
    places = np.arange(len(analysis.layers))
    values = [analysis.rates[layer.name].lasar for layer in analysis.layers]
    colours = [ORANGE if layer.place == "host" else BLUE for layer in analysis.layers]
    axes.barh(places, values, color=colours, height=0.7)
    for place, value in zip(places, values, strict=True):
        axes.text(
            value,
            place,
            f" {value:.4f}",
            va="center",
            fontsize=8,
            color=INK,
            zorder=3,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.8},
        )
    everything = network_rates(list(analysis.rates.values()))
    assert everything is not None
    axes.axvline(everything.nasar, color=INK, linewidth=1, linestyle="--")
    names = [
        f"{short(layer.name, 36)}{' (host)' if layer.place == 'host' else ''}"
        for layer in analysis.layers
    ]
    axes.set_yticks(places, names)
    axes.set_ylim(len(places) - 0.5, -0.5)
    axes.set_xlim(0, max(max(values) * 1.18, 1e-6))
    axes.set_xlabel(f"LASAR, {RATE}")
    axes.set_title(f"{_subject(analysis)}\nlayer rates; dashed: NASAR {everything.nasar:.4f}")


def _maps(layer: SpikingLayer, rates: LayerRates) -> tuple[tuple[float, float], Draw]:
    if layer.shape[1] * layer.shape[2] == 1:
        return _channels_over_time(layer, rates)
    return _mosaic(layer, rates.asrv, "ASRV maps", RATE)


def _mosaic(
    layer: SpikingLayer, values: np.ndarray, what: str, unit: str
) -> tuple[tuple[float, float], Draw]:
    """A tile a channel; values: (channels, height, width)."""
    channels, height, width = layer.shape
    columns = ceil(sqrt(channels * (height + TILE_GAP) / (width + TILE_GAP)))
    rows = ceil(channels / columns)
    mosaic = tiled(values, columns)
    shape = mosaic.shape[0] / mosaic.shape[1]
    size = (6.4, float(np.clip(5.2 * shape + 0.9, 2.2, 14)))

    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        colours = colours_of("viridis")
        colours.set_bad("white")
        image = axes.imshow(mosaic, cmap=colours, vmin=0, interpolation="nearest")
        first = np.arange(rows) * columns
        axes.set_yticks(np.arange(rows) * (height + TILE_GAP) + (height - 1) / 2, first)
        axes.set_xticks(np.arange(columns) * (width + TILE_GAP) + (width - 1) / 2,
                        [f"+{c}" for c in range(columns)])  # fmt: skip
        if columns > LABELLED_CHANNELS:
            axes.set_xticks([])
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        axes.set_ylabel("channel")
        axes.set_title(f"{short(layer.name)}: {what}, {channels} channels of {height} x {width}")
        bar = figure.colorbar(image, ax=axes, shrink=0.8, pad=0.02)
        bar.set_label(unit)
        bar.outline.set_visible(False)

    return size, draw


def _channels_over_time(layer: SpikingLayer, rates: LayerRates) -> tuple[tuple[float, float], Draw]:
    """Maps of one position: the channels' rates over time instead."""

    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        steps, channels = rates.c_sfr.shape
        extent = (-0.5, channels - 0.5, steps + 0.5, 0.5)
        image = axes.imshow(rates.c_sfr, aspect="auto", cmap=colours_of("viridis"), vmin=0,
                            interpolation="nearest", extent=extent)  # fmt: skip
        axes.set_xlabel("neuron")
        axes.set_ylabel("time step t")
        whole_steps(axes.yaxis)
        axes.set_title(f"{short(layer.name)}: N-SFR of {channels} neurons")
        bar = figure.colorbar(image, ax=axes, pad=0.02)
        bar.set_label("N-SFR, part of the samples")
        bar.outline.set_visible(False)

    return (6.4, 3.2), draw


def _membranes(layer: SpikingLayer, found: Membranes) -> tuple[tuple[float, float], Draw]:
    channels = found.histogram.shape[1]
    heat = float(np.clip(0.06 * channels + 0.8, 1.6, 6))

    def draw(figure: Any) -> None:
        top, below = figure.subplots(2, 1, sharex=True, height_ratios=[2.4, heat])
        low, high = _shown_range(found)
        _layer_bars(top, layer, found)
        _channel_heat(figure, below, found)
        shown = [entry for axes in (top, below) for entry in axes.get_legend_handles_labels()[0]]
        top.legend(handles=shown, loc="best", fontsize=8, framealpha=0.8, edgecolor="none")
        below.set_xlim(low, high)

    return (6.4, 2.6 + heat), draw


def _shown_range(found: Membranes) -> tuple[float, float]:
    """The middle 99.8 % of the membranes and the threshold, with some air."""
    counts = found.histogram.sum(axis=(0, 1))
    if not counts.sum():
        return found.threshold - found.width, found.threshold + found.width
    share = np.cumsum(counts) / counts.sum()
    first, last = np.searchsorted(share, [0.001, 0.999])
    low = min(found.edges[first], found.threshold)
    high = max(found.edges[min(int(last) + 1, len(counts))], found.threshold)
    air = 0.04 * (high - low) + found.width
    return low - air, high + air


def _layer_bars(axes: Any, layer: SpikingLayer, found: Membranes) -> None:
    counts = found.histogram.sum(axis=(0, 1)) / max(int(found.count.sum()), 1)
    left = found.edges[:-1]
    centres = np.arange(found.low, found.low + len(counts)) + 0.5
    colours = np.where(centres > 0, BLUE, LIGHT)
    axes.bar(left, counts, width=found.width, align="edge", color=colours)
    axes.axvline(found.threshold, color=RED, linewidth=1.4, label=f"V_th {found.threshold:.4g}")
    if not np.isnan(found.layer_ptd):
        axes.axvline(found.threshold + found.layer_ptd, color=INK, linewidth=1.2, linestyle="--",
                     label=f"layer's PTD {found.layer_ptd:+.3g}")  # fmt: skip
    axes.set_ylabel("share of membranes")
    spread, error = found.layer_variance, found.layer_quantization_error
    axes.set_title(
        f"{short(layer.name)}: membrane U before firing\n"
        f"variance {spread:.3g}, QE {error:.3g}, bin width {found.width:.4g}; dark: U ≥ V_th"
    )


def _channel_heat(figure: Any, axes: Any, found: Membranes) -> None:
    counts = found.histogram.sum(axis=0).astype(np.float64)
    share = counts / np.maximum(found.count.sum(axis=0), 1)[:, None]
    channels = len(share)
    extent = (found.edges[0], found.edges[-1], channels - 0.5, -0.5)
    largest = float(np.percentile(share[share > 0], 99)) if share.any() else 1.0
    colours = colours_of("Blues")
    if share.shape[1]:
        image = axes.imshow(share, aspect="auto", extent=extent, cmap=colours, vmin=0,
                            vmax=largest, interpolation="nearest")  # fmt: skip
        bar = figure.colorbar(image, ax=axes, pad=0.02, extend="max")
        bar.set_label("share in channel")
        bar.outline.set_visible(False)
    axes.axvline(found.threshold, color=RED, linewidth=1.4)
    peak, rows = found.peak(), np.arange(channels)
    noisy = np.isin(rows, noise_channels(peak))
    for chosen, colour, said in ((~noisy, INK, "peak of a channel"), (noisy, RED, "peak of noise")):
        if chosen.any():
            place = found.threshold + found.width * peak[chosen]
            axes.scatter(place, rows[chosen], s=7, color=colour,
                         label=said, zorder=3)  # fmt: skip
    axes.set_ylabel("channel")
    whole_steps(axes.yaxis)
    axes.set_xlabel("membrane U, model's units")


def _periods(periods: PeriodSums) -> tuple[tuple[float, float], Draw]:
    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        names = [str(step) for step in range(1, len(periods.counts) + 1)] + ["> T", "never"]
        values = np.array([*periods.counts, periods.later, periods.never]) / periods.total
        places = np.arange(len(names))
        axes.bar(places, values, color=[BLUE] * len(periods.counts) + [LIGHT] * 2, width=0.8)
        every = max(1, len(periods.counts) // 20)
        ticks = [*places[:-2:every], *places[-2:]]
        axes.set_xticks(ticks, [names[i] for i in ticks])
        if len(names) <= 24:
            for place, value in zip(places, values, strict=True):
                axes.text(place, value, f"{value:.1%}", ha="center", va="bottom", fontsize=7)
        axes.set_xlabel("firing period T_p, time steps")
        axes.set_ylabel("share of neurons and samples")
        axes.set_ylim(0, values.max() * 1.1)
        axes.set_title(
            f"{short(periods.coding.node.label)}: period at a constant input"
            f" ({periods.coding.scheme} coding)"
        )

    return (6.4, 3.2), draw
