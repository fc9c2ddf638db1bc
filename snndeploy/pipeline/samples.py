"""The samples that a compilation looks at: for calibration, and held back to compare on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from snndeploy.data import Binning, Data, load_data
from snndeploy.errors import DataError
from snndeploy.graph import Graph, Node
from snndeploy.lower.real_network import RealNetwork
from snndeploy.pipeline.options import CALIBRATION_SAMPLES, Options
from snndeploy.quantize.calibration import Calibration, calibrate

CALIBRATION_VALUES = 150_000_000  # recorded values, all samples together
RANDOM_SAMPLES = 2


@dataclass(frozen=True, eq=False)
class Samples:
    """calibration: (samples, ...) inputs.  held_back: None without a reduction."""

    calibration: np.ndarray
    held_back: Data | None
    notes: tuple[str, ...] = ()
    binning: Binning | None = None


def take_samples(options: Options, entry: Node, shipped: Path | None) -> Samples:
    """The user's samples, else those that belong to the model, else random ones with a note.

    entry: the input node.

    Raises:
        DataError: a file cannot be read or does not fit the input, or nothing is held back.
    """
    source = shipped if options.calibration is None else options.calibration
    notes: tuple[str, ...] = ()
    binning = None
    if source is not None:
        data = load_data(source).take(CALIBRATION_SAMPLES)
        binning = data.binning
        calibration = data.fit(entry.shape[1:], entry.attributes["signal"]).inputs()
    else:
        calibration = _random(entry)
        notes = (
            "no calibration data was given: scales rest on two random inputs (uniform in 0..1, or"
            " Poisson events); give --calibration DATA.npz for figures that mean something",
        )
    return Samples(calibration, _held_back(options, entry, source, calibration), notes, binning)


def observed(graph: Graph, choices: Sequence[RealNetwork], x: np.ndarray) -> Calibration:
    """What a graph does on samples, recorded for every choice of how to lower it."""
    return calibrate(graph, _few(x, choices), _recorded(choices))


def _random(entry: Node) -> np.ndarray:
    generator = np.random.default_rng(0)
    kind, shape = entry.attributes["signal"], (RANDOM_SAMPLES, *entry.shape[1:])
    if kind == "real":
        return generator.random(shape).astype(np.float32)
    events = generator.poisson(0.1, shape)
    return np.minimum(events, 1 if kind == "binary" else np.inf).astype(np.float32)


def _held_back(
    options: Options, entry: Node, source: Any, calibrated_on: np.ndarray
) -> Data | None:
    """Samples to compare a reduced program on: the user's, else those that calibration left over.

    A reduction that is proved needs none: without any it is shown on the calibration samples.
    None without a reduction.

    Raises:
        DataError: nothing is left over, and the reduction rests on the calibration data.
    """
    if options.reduce == "off":
        return None
    shape, signal = entry.shape[1:], entry.attributes["signal"]
    if options.held_back is not None:
        binning = source.binning if isinstance(source, Data) else None
        return load_data(options.held_back, binning).fit(shape, signal)
    data = None if source is None else load_data(source)
    if data is not None and len(data.x) > CALIBRATION_SAMPLES:
        rest = slice(CALIBRATION_SAMPLES, None)
        labels = None if data.y is None else data.y[rest]
        return replace(data, x=data.x[rest], y=labels).fit(shape, signal)
    if options.reduce == "exact":
        return Data(calibrated_on, None, 1.0, data.name if data else "random inputs")
    have = f"{data.name} has {len(data.x)} samples" if data else "there is no calibration data"
    raise DataError(
        f"--reduce calibrated is checked on samples behind the first {CALIBRATION_SAMPLES}, which"
        f" calibration uses, but {have}; give --held-back DATA.npz"
    )


def _recorded(choices: Sequence[RealNetwork]) -> list[str]:
    names: list[str] = []
    for choice in choices:
        for population in choice.populations:
            names += [n for n in (population.node, population.current, population.host) if n]
    return list(dict.fromkeys(names))


def _few(data: np.ndarray, choices: Sequence[RealNetwork]) -> np.ndarray:
    """As many samples as fit into memory when everything is recorded."""
    neurons = sum(int(np.prod(p.shape)) for choice in choices for p in choice.populations)
    each = 3 * neurons * choices[0].timesteps
    return data[: max(1, CALIBRATION_VALUES // max(each, 1))]
