"""The page that shows two analyses side by side, as PNG bytes."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from snndeploy.analysis.beside import Beside, Pair
from snndeploy.analysis.drawing import BLUE, INK, ORANGE, RED, colours_of, png, short, whole_steps
from snndeploy.analysis.rates import network_rates
from snndeploy.analysis.result import Analysis

MOST_PAIRS = 12  # rows of a page
ROW_HEIGHT, HEAD_HEIGHT, WIDTH = 2.0, 3.4, 11.0  # inches
A_COLOUR, B_COLOUR = BLUE, ORANGE


def beside_pictures(found: Beside) -> dict[str, bytes]:
    """beside.png: rates, and of every pair of layers maps, their difference and membranes; one
    page more for every single sample that both kept.  Of the pairs the first dozen."""
    pairs = found.detailed[:MOST_PAIRS]
    size = (WIDTH, HEAD_HEIGHT + ROW_HEIGHT * len(pairs))
    pages = {"beside.png": png(size, lambda figure: _page(figure, found, pairs))}
    kept = [pair for pair in pairs if _has_plane(pair)]
    if found.a.settings.samples and kept:
        for row, sample in enumerate(found.a.settings.samples):
            size = (WIDTH * 0.7, 0.8 + ROW_HEIGHT * len(kept))
            draw = partial(_sample_page, found=found, pairs=kept, row=row)
            pages[f"beside_sample_{sample:05d}.png"] = png(size, draw)
    return pages


def _has_plane(pair: Pair) -> bool:
    return pair[0].shape[1] * pair[0].shape[2] > 1


def _page(figure: Any, found: Beside, pairs: tuple[Pair, ...]) -> None:
    heights = [HEAD_HEIGHT, *[ROW_HEIGHT] * len(pairs)]
    grid = figure.add_gridspec(len(heights), 4, height_ratios=heights)
    figure.suptitle(
        f"A: {short(found.a.name)}   B: {short(found.b.name)}   {found.a.samples:,} samples",
        x=0.01, ha="left",
    )  # fmt: skip
    _nsar(figure.add_subplot(grid[0, :2]), found)
    _lasar(figure.add_subplot(grid[0, 2:]), found)
    for row, (a, b) in enumerate(pairs, start=1):
        cells = [figure.add_subplot(grid[row, column]) for column in range(4)]
        if _has_plane((a, b)):
            maps = [one.rates[n.name].asrv.mean(axis=0) for one, n in ((found.a, a), (found.b, b))]
            _maps(figure, cells[:3], maps, short(a.name, 30))
        else:
            _channels(cells[:3], found, (a, b))
        _membranes(cells[3], found, (a, b))


def _sample_page(figure: Any, found: Beside, pairs: list[Pair], row: int) -> None:
    sample = found.a.settings.samples[row]
    figure.suptitle(f"sample {sample}: spikes a neuron and step, mean over t and channels",
                    x=0.01, ha="left")  # fmt: skip
    grid = figure.subplots(len(pairs), 3, squeeze=False)
    for cells, (a, b) in zip(grid, pairs, strict=True):
        kept = (found.a.sample_spikes[a.name], found.b.sample_spikes[b.name])
        maps = [spikes[row].mean(axis=(0, 1)) for spikes in kept]
        _maps(figure, cells, maps, short(a.name, 30))


def _nsar(axes: Any, found: Beside) -> None:
    for name, one, colour in (("A", found.a, A_COLOUR), ("B", found.b, B_COLOUR)):
        rates = network_rates(list(one.rates.values()))
        assert rates is not None
        axes.plot(np.arange(1, one.timesteps + 1), rates.nsar, color=colour, marker="o",
                  label=f"{name}: NASAR {rates.nasar:.4f}")  # fmt: skip
    axes.set_ylim(bottom=0)
    axes.set_xlabel("time step t")
    axes.set_ylabel("NSAR, spikes a neuron")
    whole_steps(axes.xaxis)
    axes.legend(frameon=False)
    axes.set_title("rate over time")


def _lasar(axes: Any, found: Beside) -> None:
    places = np.arange(len(found.pairs))
    for shift, side, one, colour in ((-0.2, 0, found.a, A_COLOUR), (0.2, 1, found.b, B_COLOUR)):
        values = [one.rates[pair[side].name].lasar for pair in found.pairs]
        axes.barh(places + shift, values, height=0.38, color=colour, label="AB"[side])
    axes.set_yticks(places, [short(a.name, 26) for a, _ in found.pairs])
    axes.set_ylim(len(places) - 0.5, -0.5)
    axes.set_xlabel("LASAR, spikes a neuron and step")
    axes.legend(frameon=False)
    axes.set_title("layers")


def _maps(figure: Any, cells: Any, maps: list[np.ndarray], name: str) -> None:
    """A, B and B - A, the first two on one scale."""
    largest = max(float(maps[0].max()), float(maps[1].max()), 1e-9)
    difference = maps[1] - maps[0]
    farthest = max(float(np.abs(difference).max()), 1e-9)
    shown = (
        (f"{name}: A", maps[0], "viridis", 0.0, largest),
        ("B", maps[1], "viridis", 0.0, largest),
        ("B - A", difference, "RdBu_r", -farthest, farthest),
    )
    for axes, (title, values, colours, low, high) in zip(cells, shown, strict=True):
        image = axes.imshow(values, cmap=colours_of(colours), vmin=low, vmax=high,
                            interpolation="nearest")  # fmt: skip
        axes.set_axis_off()
        axes.set_title(title, fontsize=8)
        bar = figure.colorbar(image, ax=axes, shrink=0.9, pad=0.02)
        bar.outline.set_visible(False)
        bar.ax.tick_params(labelsize=7)


def _channels(cells: Any, found: Beside, pair: Pair) -> None:
    """Layers of one position: rates of the neurons, sorted by A, and their differences."""
    both = ((found.a, pair[0]), (found.b, pair[1]))
    rates = [one.rates[layer.name].asrv.ravel() for one, layer in both]
    order = np.argsort(-rates[0], kind="stable")
    top = max(float(rates[0].max()), float(rates[1].max()), 1e-9)
    for axes, title, values, colour in (
        (cells[0], f"{short(pair[0].name, 26)}: A", rates[0], A_COLOUR),
        (cells[1], "B", rates[1], B_COLOUR),
        (cells[2], "B - A", rates[1] - rates[0], INK),
    ):
        axes.bar(np.arange(len(order)), values[order], width=1.0, color=colour)
        axes.set_title(title, fontsize=8)
        axes.tick_params(labelsize=7)
        if axes is not cells[2]:
            axes.set_ylim(0, 1.05 * top)
    cells[0].set_ylabel("spikes a step", fontsize=7)
    cells[0].set_xlabel("neuron, sorted by A", fontsize=7)


def _membranes(axes: Any, found: Beside, pair: Pair) -> None:
    """Shares of U by distance from V_th in units of it, so that two thresholds can be compared."""
    for name, one, layer, colour in (
        ("A", found.a, pair[0], A_COLOUR), ("B", found.b, pair[1], B_COLOUR),
    ):  # fmt: skip
        edges, shares = _density(one, layer.name)
        axes.stairs(shares, edges, color=colour, label=name, linewidth=1.3)
    axes.axvline(0, color=RED, linewidth=1)
    axes.set_title("membranes, density", fontsize=8)
    axes.set_xlabel("(U - V_th) / V_th", fontsize=7)
    axes.tick_params(labelsize=7)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=7)


def _density(one: Analysis, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Edges and density of the middle 99.8 % of the membranes."""
    found = one.membranes[name]
    unit = abs(found.threshold) or 1.0
    counts = found.histogram.sum(axis=(0, 1))
    if not counts.sum():
        return np.array([-1.0, 1.0]), np.zeros(1)
    share = np.cumsum(counts) / counts.sum()
    first, last = np.searchsorted(share, [0.001, 0.999])
    edges = (found.edges[first : last + 2] - found.threshold) / unit
    density = counts[first : last + 1] / max(int(found.count.sum()), 1) / (found.width / unit)
    return edges, density
