"""The analysis as JSON (schema `snndeploy.analysis/1`) and as arrays; docs/analysis.md explains.

Units are in the names: rates are spikes a neuron and step, membranes the model's own units.  What
was not computed is absent; null stands for a figure that the data does not define.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from snndeploy.analysis.coding_document import code_entry, entropy_entry, period_entry
from snndeploy.analysis.layers import SpikingLayer
from snndeploy.analysis.membranes import Membranes
from snndeploy.analysis.patterns import GhostPairs, ghost_pairs, noise_channels, null_channels
from snndeploy.analysis.rates import LayerRates, network_rates
from snndeploy.analysis.result import Analysis

SCHEMA = "snndeploy.analysis/1"

CONVENTIONS = {
    "neurons": "one an element of the tensor that enters the firing function, after any pooling",
    "rates": "means over samples; NASAR = NASFR = firing rate, NSAR(t) = T-SFR(t), LASAR = LASFR",
    "conv_only": "layers of neurons behind a convolution, no other layer between",
    "asrv": "spikes averaged over samples and steps, [channel, row, column]",
    "membrane": "U before firing and reset; attention in the membrane loop included",
    "threshold_of_chip": "integer threshold x scale; the chip fires above it, the model at or above"
    " its own where fires_at is ge",
    "mpd": "bars of the given width with an edge at V_th",
    "ptd": "mean centre of the three highest bars minus V_th; equal bars: the lower membrane first",
    "mpd_variance": "population variance of U",
    "qe": "mean of (U - S)^2",
    "noise": "V_th lies in the peak interval or below it: peak > -1/2 bar",
    "peak": "as ptd, the three bars weighted by what they hold",
    "null": "no spike in any sample",
    "ghost": "Pearson correlation of two channels' ASRV maps; maps without variation left out",
    "entropy": "of the pattern of T bits of a neuron over the samples, bits; corrected: Miller's"
    " (patterns - 1) / (2 n ln 2) added; pooled: all neurons' patterns; of one step: {0, 1}",
    "firing_period": "T_p = ceil(log_tau(1 - V_th (1 - tau) / x)), ties as the neuron's test says",
}


def as_json(analysis: Analysis, data: str = "") -> dict[str, Any]:
    """The whole document.  data: name of the data file."""
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "model": analysis.name,
        "of": analysis.of,
        "data": data,
        "samples": analysis.samples,
        "timesteps": analysis.timesteps,
        "ghost_threshold_pearson": analysis.settings.ghost_threshold,
        "conventions": CONVENTIONS,
        "network": _network(analysis),
        "layers": [_layer(analysis, index) for index in range(len(analysis.layers))],
    }
    if analysis.settings.samples:
        document["single_samples"] = list(analysis.settings.samples)
    if analysis.target:
        document["target"] = analysis.target
    coding = [
        *(code_entry(code) for code in analysis.codes),
        *(period_entry(periods) for periods in analysis.periods),
    ]
    if coding:
        document["coding"] = coding
    document["notes"] = list(analysis.notes)
    return document


def maps(analysis: Analysis) -> dict[str, np.ndarray]:
    """Arrays too large for JSON, by the names that the layers' `arrays` give."""
    found: dict[str, np.ndarray] = {}
    for index, layer in enumerate(analysis.layers):
        if layer.name not in analysis.detailed:
            continue
        membranes = analysis.membranes[layer.name]
        names = array_names(index, layer.name in analysis.sample_spikes)
        found[names["n_sfr"]] = analysis.rates[layer.name].n_sfr
        found[names["membrane_histogram"]] = membranes.histogram
        found[names["membrane_edges"]] = membranes.edges
        if "sample_spikes" in names:
            found[names["sample_spikes"]] = analysis.sample_spikes[layer.name].astype(np.uint8)
    return found


def maps_file(analysis: Analysis) -> bytes:
    """`maps` as a compressed .npz."""
    written = io.BytesIO()
    np.savez_compressed(written, allow_pickle=False, **maps(analysis))
    return written.getvalue()


def array_names(index: int, samples: bool = False) -> dict[str, str]:
    """Names in maps.npz of a layer's arrays, by its place in `layers`; samples: single ones are
    kept."""
    kinds = ["n_sfr", "membrane_histogram", "membrane_edges"] + ["sample_spikes"] * samples
    return {kind: f"layer{index:03d}_{kind}" for kind in kinds}


def _network(analysis: Analysis) -> dict[str, Any]:
    parts = {
        "all_layers": analysis.layers,
        "conv_only": [layer for layer in analysis.layers if layer.kind == "conv"],
        "chip_only": [layer for layer in analysis.layers if layer.place == "chip"],
    }
    found: dict[str, Any] = {}
    for name, layers in parts.items():
        rates = network_rates([analysis.rates[layer.name] for layer in layers])
        if rates is None:
            continue
        found[name] = {
            "neurons": rates.neurons,
            "nasar_spikes_per_neuron_step": rates.nasar,
            "nasar_from_lasar_spikes_per_neuron_step": rates.by_identity,
            "nsar_by_step_spikes_per_neuron": rates.nsar.tolist(),
            "spikes_per_sample": rates.spikes_per_sample,
        }
    found["all_layers"]["spikes_per_sample_standard_deviation"] = analysis.spikes_spread
    return found


def _layer(analysis: Analysis, index: int) -> dict[str, Any]:
    layer = analysis.layers[index]
    rates = analysis.rates[layer.name]
    entry: dict[str, Any] = {
        "name": layer.name,
        "kind": layer.kind,
        "place": layer.place,
        "shape": list(layer.shape),
        "neurons": layer.neurons,
        "threshold_membrane_units": layer.threshold,
        "fires_at": layer.fires_at,
        "lasar_spikes_per_neuron_step": rates.lasar,
        "lsar_by_step_spikes_per_neuron": rates.lsar.tolist(),
        "spikes_per_sample": rates.spikes_per_sample,
        "c_sfr_by_step_and_channel_spikes_per_neuron": rates.c_sfr.tolist(),
        "null_channels": null_channels(rates.counts),
    }
    if layer.name in analysis.detailed:
        membranes = analysis.membranes[layer.name]
        entry["membranes"] = _membranes(membranes)
        entry["patterns"] = _patterns(layer, rates, membranes, analysis.settings.ghost_threshold)
        entry["arrays"] = array_names(index, layer.name in analysis.sample_spikes)
    if layer.name in analysis.patterns:
        entry["entropy"] = entropy_entry(analysis.patterns[layer.name])
    return entry


def _membranes(membranes: Membranes) -> dict[str, Any]:
    return {
        "bin_width_membrane_units": membranes.width,
        "edges_membrane_units": membranes.edges.tolist(),
        "histogram": membranes.histogram.sum(axis=(0, 1)).tolist(),
        "values_below_edges": int(membranes.below.sum()),
        "values_above_edges": int(membranes.above.sum()),
        "ptd_membrane_units": _number(membranes.layer_ptd),
        "variance_membrane_units_squared": membranes.layer_variance,
        "qe_membrane_units_squared": membranes.layer_quantization_error,
        "by_channel": {
            "ptd_membrane_units": _numbers(membranes.ptd()),
            "peak_bars_from_threshold": _numbers(membranes.peak()),
            "variance_membrane_units_squared": membranes.variance().tolist(),
            "qe_membrane_units_squared": membranes.quantization_error().tolist(),
        },
        "by_step_and_channel": {
            "ptd_membrane_units": [_numbers(row) for row in membranes.ptd(by_step=True)],
            "variance_membrane_units_squared": membranes.variance(by_step=True).tolist(),
            "qe_membrane_units_squared": membranes.quantization_error(by_step=True).tolist(),
        },
    }


def _patterns(
    layer: SpikingLayer, rates: LayerRates, membranes: Membranes, threshold: float
) -> dict[str, Any]:
    by_step = membranes.peak(by_step=True)
    found: dict[str, Any] = {
        "noise_channels": noise_channels(membranes.peak()),
        "noise_channels_by_step": [len(noise_channels(row)) for row in by_step],
    }
    pairs = ghost_pairs(rates.counts, threshold)
    if pairs is not None:
        found["ghosts"] = _ghosts(pairs)
    return found


def _ghosts(ghosts: GhostPairs) -> dict[str, Any]:
    return {
        "pairs": ghosts.pairs,
        "pairs_compared": ghosts.compared,
        "channels_compared": ghosts.channels,
        "top": [
            {"channels": [first, second], "pearson": likeness}
            for first, second, likeness in ghosts.top
        ],
    }


def _numbers(values: Sequence[float] | np.ndarray) -> list[float | None]:
    return [_number(float(value)) for value in values]


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value
