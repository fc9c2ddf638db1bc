"""The shipped models behind the papers' numbers: their parameters, and what they compute.

A spec is a shipped model's name, or FILE.py:FACTORY(arguments) with a file of the models folder.
"""

from __future__ import annotations

from functools import cache

from snndeploy.costs.comparison import NetworkCosts, network_costs
from snndeploy.frontend.load import load
from snndeploy.frontend.torch import trace
from snndeploy.passes.partition import partition
from snndeploy.passes.signals import infer_signals
from snndeploy.shelf import models_folder


@cache
def parameters(spec: str) -> int:
    """Trainable values of a model."""
    return sum(int(value.numel()) for value in _loaded(spec).module.parameters())


@cache
def network(spec: str) -> NetworkCosts:
    """Layers, neurons and attention of a model, traced; no weight matters to them."""
    loaded = _loaded(spec)
    graph = trace(loaded.module, loaded.example, verify=False, spiking=False)
    return network_costs(partition(infer_signals(graph)), loaded.name, parameters(spec))


def written(spec: str) -> str:
    """The spec as a shell takes it in a checkout."""
    return f'"models/{spec}"' if ".py:" in spec else spec


@cache
def _loaded(spec: str):  # type: ignore[no-untyped-def]
    return load(f"{models_folder()}/{spec}" if ".py:" in spec else spec, random_weights=True)
