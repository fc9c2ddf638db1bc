"""The ways to lower a graph, and which one costs least."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from snndeploy.errors import UnsupportedError
from snndeploy.graph import Graph
from snndeploy.lower.lower import lower
from snndeploy.lower.real_network import LoweringCost, RealNetwork, lowering_cost
from snndeploy.pipeline.options import Shortcuts
from snndeploy.quantize.calibration import Calibration
from snndeploy.quantize.quantize import AttentionUnit
from snndeploy.target import Target


def attention_unit(target: Target, host_attention: bool) -> AttentionUnit | None:
    """Where attention in the body can run: the chip's MAC unit, the host if allowed, or nowhere."""
    has_unit = target.mac_unit and target.dynamic_multiply and target.full_window
    if has_unit:
        return "chip"
    return "host" if host_attention else None


def lowerings(
    graph: Graph, target: Target, shortcuts: Shortcuts, *, attention: bool = False
) -> list[RealNetwork]:
    """The possible networks of a graph: one, or one a way to lower membrane shortcuts."""
    if shortcuts == "relay" and not target.graded_spikes:
        raise UnsupportedError(
            f"{target.name} has no graded spikes, which --shortcuts relay needs; use compose",
            reason="graded spikes",
        )
    modes: list[Literal["compose", "relay"]] = ["compose", "relay"]
    if shortcuts != "auto":
        return [lower(graph, shortcuts, attention=attention)]
    found: list[RealNetwork] = []
    refused: list[UnsupportedError] = []
    for mode in modes if target.graded_spikes else modes[:1]:
        try:
            found.append(lower(graph, mode, attention=attention))
        except UnsupportedError as error:
            refused.append(error)
            continue
        if found[-1].shortcuts == "none":
            break
    if not found:
        raise refused[0]
    return found


def choose(
    choices: list[RealNetwork], seen: Calibration, target: Target
) -> tuple[RealNetwork, tuple[LoweringCost, ...]]:
    """The lowering with the least energy in synapses and host link, at calibration's rates."""
    costs = lowering_costs(choices, target, seen.rates())
    best = min(range(len(choices)), key=lambda index: costs[index].weight)
    return choices[best], costs


def lowering_costs(
    choices: Sequence[RealNetwork],
    target: Target,
    rates: Mapping[str, float],
    assumed_rate: float | None = None,
) -> tuple[LoweringCost, ...]:
    """Costs at the target's prices, as far as it states them; see `real_network.lowering_cost`."""
    return tuple(
        lowering_cost(choice, rates, target, assumed_rate=assumed_rate) for choice in choices
    )
