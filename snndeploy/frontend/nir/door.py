"""The door of NIR's `.nir` files: real numbers, in continuous time."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np

from snndeploy.errors import OptionError
from snndeploy.frontend.door import Door, ModelFacts, Need, OpenedModel, SpecOptions, Step

if TYPE_CHECKING:
    from snndeploy.frontend.nir.reader import Primitives

ASSUMED_SIGNAL = "integer"  # events, counted: several may fall into one step


def _open(spec: str, options: SpecOptions, need: Need, step: Step) -> OpenedModel:
    from snndeploy.frontend.nir.euler import Assumed, ResetName
    from snndeploy.frontend.nir.network import ANSWERS, nir_graph
    from snndeploy.frontend.nir.reader import read_nir

    path = Path(spec)
    answer = options.answer or "mean"
    reset = options.reset or "hard"
    _require("--answer", answer, ANSWERS)
    _require("--reset", reset, get_args(ResetName))
    if options.dt is not None and not options.dt > 0:
        raise OptionError(f"--dt {options.dt:g}: a time step is positive")
    step("read the graph")
    primitives = read_nir(path)
    if options.timesteps is None:
        raise OptionError(
            f"{path.name} does not say how many time steps a sample has, and NIR cannot; give"
            " --timesteps T"
        )
    signal = options.input_signal or ASSUMED_SIGNAL
    graph = nir_graph(
        primitives,
        options.timesteps,
        Assumed(options.dt, reset, options.lower_bound),  # type: ignore[arg-type]
        signal=signal,
        answer=answer,  # type: ignore[arg-type]
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
        input_signal=signal,  # type: ignore[arg-type]
    )
    return OpenedModel(facts, graph)


def _require(option: str, given: str, known: tuple[str, ...]) -> None:
    if given not in known:
        raise OptionError(f"{option} {given!r} is not one of {', '.join(known)}")


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
