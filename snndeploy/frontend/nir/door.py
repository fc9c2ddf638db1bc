"""The door of NIR's `.nir` files: real numbers, in continuous time."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from snndeploy.errors import ModelError, OptionError
from snndeploy.frontend.door import Door, ModelFacts, Need, OpenedModel, SpecOptions, Step
from snndeploy.graph import KINDS

if TYPE_CHECKING:
    from snndeploy.frontend.nir.reader import Primitives

SIGNAL = "integer"  # events, counted: several may fall into one step
MOST_STEPS = 1 << 20


def _open(spec: str, options: SpecOptions, need: Need, step: Step) -> OpenedModel:
    from snndeploy.frontend.nir.euler import Assumed
    from snndeploy.frontend.nir.network import nir_graph
    from snndeploy.frontend.nir.reader import read_nir

    path = Path(spec)
    step("read the graph")
    primitives = read_nir(path)
    asked = _asked(primitives, options)
    graph = nir_graph(
        primitives,
        asked.timesteps,
        Assumed(asked.dt, asked.reset, asked.lower_bound, primitives.said.get("fires_at") == "ge"),
        signal=asked.signal,
        answer=asked.answer,
        name=path.stem,
        spiking=need.spikes,
    )
    facts = ModelFacts(
        name=path.stem,
        spec=path.name,
        weights=path.name,
        parameters=_parameters(primitives),
        parameters_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        timesteps=graph.timesteps,
        input_shape=graph.input.shape[1:],
        input_signal=asked.signal,
    )
    return OpenedModel(facts, graph)


@dataclass(frozen=True)
class _Asked:
    """What NIR does not store: of the options, else of our own metadata, else assumed."""

    timesteps: int
    dt: float | None
    reset: Any
    lower_bound: float | None
    answer: Any
    signal: Any


def _asked(primitives: Primitives, options: SpecOptions) -> _Asked:
    from snndeploy.data import load_data
    from snndeploy.frontend.nir.euler import RESETS
    from snndeploy.frontend.nir.network import ANSWERS

    said, file = primitives.said, primitives.file
    data = None if options.data is None else load_data(options.data)
    timesteps = options.timesteps or _number(file, said, "timesteps")
    if timesteps is None and data is not None and data.x.ndim > 2:
        timesteps = data.x.shape[1]
    if timesteps is None:
        raise OptionError(
            f"{file} does not say how many time steps a sample has, and NIR cannot; give"
            " --timesteps T, or data whose samples have them first"
        )
    signal = options.input_signal or said.get("input_signal")
    signal = signal or (SIGNAL if data is None else data.signal)
    dt = _number(file, said, "dt") if options.dt is None else options.dt
    bound = options.lower_bound
    return _Asked(
        int(_positive("timesteps", timesteps)),
        None if dt is None else _positive("dt", dt),
        _one_of("reset", options.reset or said.get("reset", "hard"), RESETS),
        _number(file, said, "lower_bound") if bound is None else bound,
        _one_of("answer", options.answer or said.get("answer", "mean"), ANSWERS),
        _one_of("input-signal", signal, KINDS),
    )


def _number(file: str, said: Mapping[str, Any], name: str) -> float | None:
    value = said.get(name)
    if value is None:
        return None
    if np.ndim(value) or not isinstance(value, int | float | np.number):
        raise ModelError(f"{file}: metadata snndeploy_{name} is no number; give --{name}")
    return float(value)


def _positive(option: str, value: float) -> float:
    if not 0 < value < MOST_STEPS:
        raise OptionError(f"--{option} {value:g}: more than 0 is needed, below {MOST_STEPS:,}")
    return value


def _one_of(option: str, given: Any, known: Sequence[str]) -> str:
    if given not in known:
        raise OptionError(f"--{option} {given!r} is not one of {', '.join(known)}")
    return str(given)


def _parameters(primitives: Primitives) -> int:
    """Weights and biases; parameters of neurons are not trained numbers of a layer."""
    fields = ("weight", "bias", "scale")
    return sum(
        np.asarray(getattr(part.value, name)).size
        for part in primitives.nodes.values()
        for name in fields
        if getattr(part.value, name, None) is not None
    )


DOOR = Door(
    kind="a NIR graph",
    form="a NIR NET.nir",
    takes=lambda spec: spec.endswith(".nir"),
    gives="model",
    options=frozenset({"timesteps", "input_signal", "dt", "reset", "lower_bound", "answer"}),
    open=_open,
)
