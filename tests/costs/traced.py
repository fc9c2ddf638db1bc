"""Networks of the zoo as partitioned graphs, traced once for all tests of the costs."""

from __future__ import annotations

from functools import cache

from snndeploy.costs.comparison import network_costs
from snndeploy.frontend.load import load
from snndeploy.frontend.torch import trace
from snndeploy.passes.partition import partition
from snndeploy.passes.signals import infer_signals


@cache
def loaded(spec):
    return load(spec, random_weights=True)


@cache
def graph_of(spec):
    found = loaded(spec)
    traced = trace(found.module, found.example, verify=False, spiking=False)
    return partition(infer_signals(traced))


@cache
def network_of(spec):
    parameters = sum(p.numel() for p in loaded(spec).module.parameters())
    return network_costs(graph_of(spec), loaded(spec).name, parameters)
