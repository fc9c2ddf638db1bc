"""The picture of a layer's noise labels: every channel by where its membranes peak and how much
it fires, so that one sees whether what is called noise is what fires densely."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from snndeploy.analysis.membranes import Membranes
from snndeploy.analysis.patterns import noise_channels
from snndeploy.analysis.rates import LayerRates

INK, LIGHT, RED, BLUE = "#222222", "#c9c9c9", "#b8312f", "#2b6ca3"
NAMED_CHANNELS = 32
APART = 0.04  # of the picture, between two channels that are both named


def noise(
    name: str, rates: LayerRates, membranes: Membranes
) -> tuple[tuple[float, float], Callable[[Any], None]]:
    """Size in inches, and what draws it."""

    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        peak, ptd = membranes.width * membranes.peak(), membranes.ptd()
        fires = rates.c_sfr.mean(axis=0)
        noisy = np.isin(np.arange(len(peak)), noise_channels(membranes.peak()))
        axes.hlines(fires, np.minimum(peak, ptd), np.maximum(peak, ptd), color=LIGHT, linewidth=1)
        axes.scatter(ptd, fires, s=12, facecolor="none", edgecolor=LIGHT, label="PTD")
        for chosen, colour, said in (
            (noisy, RED, f"peak, noise ({noisy.sum()})"),
            (~noisy, BLUE, f"peak, no noise ({(~noisy).sum()})"),
        ):
            axes.scatter(peak[chosen], fires[chosen], s=16, color=colour, label=said, zorder=3)
        for channel in _apart(peak, fires):
            axes.annotate(str(channel), (peak[channel], fires[channel]), fontsize=7,
                          xytext=(4, 2), textcoords="offset points", color=INK)  # fmt: skip
        axes.axvspan(-membranes.width / 2, membranes.width / 2, color=LIGHT, alpha=0.5,
                     linewidth=0, label="V_th, one bar wide")  # fmt: skip
        axes.set_xlabel("peak of U less V_th, model's units")
        axes.set_ylabel("spikes a neuron and step")
        axes.set_ylim(bottom=min(0.0, float(fires.min())))
        axes.set_title(f"{name}: noise is what peaks at V_th or above")
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8)

    return (6.4, 3.6), draw


def _apart(peak: np.ndarray, fires: np.ndarray) -> list[int]:
    """Channels whose numbers do not cover each other, the densest first."""
    known = np.flatnonzero(~np.isnan(peak))
    if len(known) > NAMED_CHANNELS or not len(known):
        return []
    across, up = (np.ptp(values[known]) or 1.0 for values in (peak, fires))
    named: list[int] = []
    for channel in known[np.argsort(-fires[known], kind="stable")].tolist():
        distance = np.maximum(
            np.abs(peak[named] - peak[channel]) / across,
            np.abs(fires[named] - fires[channel]) / up,
        )
        if (distance > APART).all():
            named.append(channel)
    return named
