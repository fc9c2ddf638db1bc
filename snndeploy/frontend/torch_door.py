"""The door of torch models: a shipped name, or code with a factory (`frontend.spec`)."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snndeploy.errors import DeployError, OptionError
from snndeploy.frontend.door import Door, ModelFacts, Need, OpenedModel, SpecOptions, Step
from snndeploy.frontend.spec import is_spec
from snndeploy.shelf import catalog

if TYPE_CHECKING:
    from snndeploy.frontend.load import Loaded
    from snndeploy.graph import Graph

RANDOM = "random (seed 0)"


def _takes(spec: str) -> bool:
    return is_spec(spec) or any(spec == entry.name for entry in catalog())


def _open(spec: str, options: SpecOptions, need: Need, step: Step) -> OpenedModel:
    from snndeploy.frontend.checkpoint import Naming
    from snndeploy.frontend.load import load, load_adapters
    from snndeploy.frontend.torch import trace

    if options.checkpoint is None:
        named = {"key", "strip_prefix", "allow_unexpected"} & set(options.given())
        if named:
            first = min(named).replace("_", "-")
            raise OptionError(f"--{first} says how a checkpoint is read: give --checkpoint as well")
    step("load the model")
    given = options.adapters
    adapters = load_adapters(given) if isinstance(given, Path) else given or ()
    loaded = load(
        spec,
        options.checkpoint,
        naming=Naming(options.key, options.strip_prefix, options.allow_unexpected),
        random_weights=options.random_weights or not need.weights,
        input_shape=options.input_shape,
        input_signal=options.input_signal,
        timesteps=options.timesteps,
        path=options.path,
        data=options.data,
    )
    step("trace it and compare the graph with the model")
    try:
        with loaded.code:
            graph = trace(
                loaded.module,
                loaded.example,
                timesteps=loaded.timesteps,
                input_signal=loaded.signal,
                adapters=adapters,
                name=loaded.name,
                verify=need.proof,
                spiking=need.spikes,
            )
    except DeployError as error:
        error.known = _known(loaded)
        raise
    graph = replace(graph, notes=(*loaded.notes, *graph.notes))
    calibration = loaded.entry.calibration_data if loaded.entry else None
    return OpenedModel(_facts(loaded, graph), graph, calibration)


def _facts(loaded: Loaded, graph: Graph) -> ModelFacts:
    return ModelFacts(
        name=loaded.name,
        spec=loaded.spec,
        weights=loaded.weights or RANDOM,
        parameters=sum(p.numel() for p in loaded.module.parameters()),
        parameters_sha256=state_hash(loaded.module),
        timesteps=graph.timesteps,
        input_shape=graph.input.shape[1:],
        input_signal=graph.input.attributes["signal"],
    )


def _known(loaded: Loaded) -> tuple[str, ...]:
    """What is known of a model that does not become a graph."""
    module = loaded.module
    parts = Counter(type(part).__name__ for part in module.modules() if not any(part.children()))
    steps = loaded.timesteps or getattr(module, "timesteps", None)
    shape = " x ".join(map(str, loaded.example.shape[1:]))
    return (
        f"{sum(p.numel() for p in module.parameters()):,} parameters, weights"
        f" {loaded.weights or RANDOM}",
        f"time steps: {steps or 'it does not say'}; one sample is {shape}"
        f" ({loaded.signal or 'real'} values)",
        "made of " + ", ".join(f"{count} {name}" for name, count in parts.most_common()),
        *loaded.notes,
    )


def state_hash(module: Any) -> str:
    digest = hashlib.sha256()
    for key, value in sorted(module.state_dict().items()):
        digest.update(key.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


OPTIONS = frozenset(
    {
        "checkpoint", "key", "strip_prefix", "allow_unexpected", "random_weights", "path",
        "adapters", "input_shape", "input_signal", "timesteps",
    }
)  # fmt: skip

DOOR = Door(
    kind="a torch model",
    form="a shipped model (snndeploy models list), FILE.py:FACTORY(arguments) or"
    " PACKAGE.MODULE:FACTORY(arguments)",
    takes=_takes,
    gives="model",
    options=OPTIONS,
    open=_open,
)
