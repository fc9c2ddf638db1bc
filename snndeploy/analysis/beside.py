"""Two analyses of the same samples side by side: B against A, the papers' vanilla network.

Layers belong together by name and shape, those that are left in their order by shape.  Differences
are B - A.  The samples are the same, so the spread of a difference of spikes is that of the
differences sample by sample: its standard error is std(b_i - a_i) / sqrt(n).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import sqrt
from typing import Any

import numpy as np

from snndeploy.analysis.document import as_json
from snndeploy.analysis.layers import SpikingLayer
from snndeploy.analysis.result import Analysis
from snndeploy.errors import DataError

Pair = tuple[SpikingLayer, SpikingLayer]
Entry = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Beside:
    """A and B on the same samples.

    Raises:
        DataError: not as many samples.
    """

    a: Analysis
    b: Analysis

    def __post_init__(self) -> None:
        if self.a.samples != self.b.samples:
            raise DataError(
                f"{self.a.name} saw {self.a.samples} samples and {self.b.name}"
                f" {self.b.samples}: give both the same"
            )

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """Layers that belong together, in the order of A."""
        left = {layer.name: layer for layer in self.b.layers}
        found: dict[str, SpikingLayer] = {}
        for layer in self.a.layers:
            other = left.get(layer.name)
            if other is not None and other.shape == layer.shape:
                found[layer.name] = left.pop(layer.name)
        for layer in self.a.layers:
            alike = next((o for o in left.values() if o.shape == layer.shape), None)
            if layer.name not in found and alike is not None:
                found[layer.name] = left.pop(alike.name)
        return tuple((layer, found[layer.name]) for layer in self.a.layers if layer.name in found)

    @property
    def detailed(self) -> tuple[Pair, ...]:
        """Pairs with maps and membranes on both sides."""
        return tuple(
            (a, b) for a, b in self.pairs if a.name in self.a.detailed and b.name in self.b.detailed
        )


def _share(numbers: str) -> Callable[[Entry], float | None]:
    """How many of the layer's channels are in a list of numbers, by its dotted place."""

    def found(entry: Entry) -> float | None:
        listed = _at(entry, numbers)
        return None if listed is None else len(listed)

    return found


def _at(entry: Entry, dotted: str) -> Any:
    value: Any = entry
    for key in dotted.split("."):
        if not isinstance(value, Mapping) or key not in value:
            return None
        value = value[key]
    return value


FIGURES: dict[str, Callable[[Entry], float | None]] = {
    "lasar_spikes_per_neuron_step": lambda e: _at(e, "lasar_spikes_per_neuron_step"),
    "spikes_per_sample": lambda e: _at(e, "spikes_per_sample"),
    "entropy_bits_mean": lambda e: _at(e, "entropy.bits_mean"),
    "ptd_membrane_units": lambda e: _at(e, "membranes.ptd_membrane_units"),
    "variance_membrane_units_squared": lambda e: _at(
        e, "membranes.variance_membrane_units_squared"
    ),
    "qe_membrane_units_squared": lambda e: _at(e, "membranes.qe_membrane_units_squared"),
    "noise_channels": _share("patterns.noise_channels"),
    "null_channels": _share("null_channels"),
}
"""What is compared of a layer, from its entry in the document."""


def beside_json(found: Beside, data: str = "") -> dict[str, Any]:
    """The comparison as JSON values; each figure has a, b and their difference, or is absent."""
    first, second = as_json(found.a, data), as_json(found.b, data)
    entries = [{entry["name"]: entry for entry in one["layers"]} for one in (first, second)]
    paired_a, paired_b = ({pair[side].name for pair in found.pairs} for side in (0, 1))
    return {
        "schema": "snndeploy.beside/1",
        "a": _subject(first),
        "b": _subject(second),
        "data": data,
        "samples": found.a.samples,
        "network": _network(found, first, second),
        "layers": [
            {
                "a": a.name,
                "b": b.name,
                "shape": list(a.shape),
                **_figures(entries[0][a.name], entries[1][b.name]),
            }
            for a, b in found.pairs
        ],
        "only_in_a": [layer.name for layer in found.a.layers if layer.name not in paired_a],
        "only_in_b": [layer.name for layer in found.b.layers if layer.name not in paired_b],
    }


def _subject(document: Entry) -> dict[str, Any]:
    keys = ("model", "of", "target", "timesteps")
    return {key: document[key] for key in keys if key in document}


def _network(found: Beside, first: Entry, second: Entry) -> dict[str, Any]:
    each = found.b.spikes_by_sample - found.a.spikes_by_sample
    keys = ("neurons", "nasar_spikes_per_neuron_step", "spikes_per_sample")
    parts = [one["network"]["all_layers"] for one in (first, second)]
    network: dict[str, Any] = {key: _both(parts[0][key], parts[1][key]) for key in keys}
    spread = float(np.std(each) / sqrt(len(each)))
    network["spikes_per_sample"]["difference_standard_error"] = spread
    return network


def _figures(a: Entry, b: Entry) -> dict[str, Any]:
    values = {name: (of(a), of(b)) for name, of in FIGURES.items()}
    return {
        name: _both(first, second)
        for name, (first, second) in values.items()
        if first is not None and second is not None
    }


def _both(a: float, b: float) -> dict[str, float]:
    return {"a": a, "b": b, "difference": b - a}
