"""The verdict on a network and a target: everything that stands against it, and the plan.

    partition   sides, as the target's inputs allow
    lower       every way to lower membrane shortcuts that the target has; all refusals of each
    integers    what no scale can make an integer of
    wait        shortcuts that synapses cannot delay long enough
    map         the fewest cores, of what can be lowered

A way that nothing stands against is legal; `compile` takes the cheapest legal one.  What only
calibration data can tell is listed as `open`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

from snndeploy.errors import FitError, Violation, reasons_of, refusal
from snndeploy.graph import NO_NEURON, Graph
from snndeploy.layout.layout import Layout
from snndeploy.lower.lower import Lowered, gather
from snndeploy.lower.pipeline_delay import too_long
from snndeploy.lower.real_network import LoweringCost, RealNetwork, lowering_cost
from snndeploy.lower.suited import suited
from snndeploy.mapping import place
from snndeploy.mapping.advice import Suggestion, sentence, suggestions
from snndeploy.network import Network
from snndeploy.passes.audit import Flags
from snndeploy.passes.partition import partition
from snndeploy.quantize.legality import illegal
from snndeploy.quantize.quantize import AttentionUnit
from snndeploy.quantize.scales import Weights
from snndeploy.target import Target
from snndeploy.verdict.plan import Plan, flags, plan_of
from snndeploy.verdict.structure import structure

Shortcuts = Literal["auto", "compose", "relay"]
ASSUMED_RATE = 0.2  # spikes a neuron and step where no calibration has been


@dataclass(frozen=True, eq=False)
class Mapped:
    """A structure on the fewest cores, or why it does not fit and what would."""

    layout: Layout | None
    violations: tuple[Violation, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()


@dataclass(frozen=True, eq=False)
class Way:
    """One way to lower the network, what stands against it, and its mapping on the fewest cores.

    structure: None where a node could not be lowered.  mapping: None until it is mapped.
    """

    network: RealNetwork
    violations: tuple[Violation, ...]
    structure: Network | None
    mapping: Mapped | None = None


@dataclass(frozen=True, eq=False)
class Verdict:
    """ways: the legal ones; where there are none, the one with the least against it; none at all
    without a neuron, or for a target that programs are not compiled for."""

    target: Target
    graph: Graph
    unit: AttentionUnit | None
    ways: tuple[Way, ...]
    violations: tuple[Violation, ...]

    @property
    def networks(self) -> list[RealNetwork]:
        return [way.network for way in self.ways]

    @property
    def reasons(self) -> list[str]:
        return reasons_of(self.violations)

    @property
    def open(self) -> tuple[str, ...]:
        """What calibration data will tell."""
        if self.violations:
            return ()
        network = self.assumed[0].network
        loaded = [p.name for p in network.populations if p.host and p.host_constant]
        if not loaded:
            return ()
        return (
            f"{', '.join(loaded)}: whether bias registers hold the encoder's values depends on"
            " calibration",
        )

    def require(self) -> None:
        """Raise all that stands against the network, in one error."""
        if self.violations:
            raise refusal(self.violations)

    @cached_property
    def assumed(self) -> tuple[Way, tuple[LoweringCost, ...]]:
        """The way that is cheapest at ASSUMED_RATE, and what every way costs."""
        return self.cheapest({}, ASSUMED_RATE)

    def cheapest(
        self, rates: Mapping[str, float], assumed_rate: float | None = None
    ) -> tuple[Way, tuple[LoweringCost, ...]]:
        """The way with the least energy in synapses and host link, and what every way costs."""
        costs = lowering_costs(self.networks, self.target, rates, assumed_rate)
        best = min(range(len(costs)), key=lambda index: costs[index].weight)
        return self.ways[best], costs

    def plan(self, rates: Mapping[str, float] | None = None) -> Plan:
        """What `compile` follows, or would if nothing stood against it; rates: of calibration, by
        node."""
        if not self.ways:
            return plan_of(self.graph, self._lowered(rates), self.unit)
        costs = (self.assumed if rates is None else self.cheapest(rates))[1]
        at = f"{ASSUMED_RATE} spikes a neuron and step" if rates is None else "calibration's rates"
        return plan_of(self.graph, self._lowered(rates), self.unit, costs, at)

    def flags(self, rates: Mapping[str, float] | None = None) -> Flags:
        """Is it spike-driven, as compiled?"""
        return flags(self.graph, self._lowered(rates))

    def _lowered(self, rates: Mapping[str, float] | None) -> RealNetwork:
        if not self.ways:
            return gather(self.graph, "compose").network
        return (self.assumed if rates is None else self.cheapest(rates))[0].network

    def as_json(self) -> dict[str, Any]:
        return {
            "target": self.target.name,
            "compiles": not self.violations,
            "violations": [violation.as_json() for violation in self.violations],
            "plan": self.plan().as_json(),
            "depends_on_calibration": list(self.open),
        }


def judge(
    graph: Graph,
    target: Target,
    *,
    shortcuts: Shortcuts = "auto",
    host_attention: bool = False,
    mapped: bool = True,
    weights: Weights = "auto",
    known: dict[Any, Lowered] | None = None,
) -> Verdict:
    """The verdict on a traced graph with signals.

    mapped: also map what is legal. Without it only what must be known is mapped: several ways, to
    leave out those that do not fit, and a network that is refused anyway, to say all at once.
    weights: 'double' maps two projections for every one.
    known: keeps lowerings of the same graph, which most targets share.
    """
    if target.not_compiled:
        return Verdict(target, partition(graph), None, (), (not_compiled(target),))
    if not graph.neurons():
        return Verdict(target, partition(graph), None, (), (_no_neuron(),))
    parted = partition(graph, integer_input_on_chip=target.graded_spikes)
    unit = attention_unit(target, host_attention)
    ways = _ways(parted, target, shortcuts, unit, {} if known is None else known, weights)
    if mapped or len([way for way in ways if not way.violations]) != 1:
        ways = [_mapped(way, target) for way in ways]
    legal = tuple(way for way in ways if not way.violations)
    if legal:
        return Verdict(target, parted, unit, legal, ())
    nearest = min(ways, key=lambda way: (way.structure is None, len(way.violations)))
    return Verdict(target, parted, unit, (nearest,), nearest.violations)


def plan_before(parted: Graph) -> Plan:
    """The plan of a partitioned graph before a target is chosen: shortcuts composed, attention
    allowed."""
    return plan_of(parted, gather(parted, "compose", attention=True).network, "chip")


def flags_of(parted: Graph) -> Flags:
    """Is it spike-driven, before a target is chosen?"""
    return flags(parted, gather(parted, "compose", attention=True).network)


def attention_unit(target: Target, host_attention: bool) -> AttentionUnit | None:
    """Where attention in the body can run: the chip's MAC unit, the host if allowed, or nowhere."""
    has_unit = target.mac_unit and target.dynamic_multiply and target.full_window
    if has_unit:
        return "chip"
    return "host" if host_attention else None


def lowering_costs(
    networks: Sequence[RealNetwork],
    target: Target,
    rates: Mapping[str, float],
    assumed_rate: float | None = None,
) -> tuple[LoweringCost, ...]:
    """Costs at the target's prices, as far as it states them; see `real_network.lowering_cost`."""
    return tuple(
        lowering_cost(network, rates, target, assumed_rate=assumed_rate) for network in networks
    )


def _ways(
    parted: Graph,
    target: Target,
    shortcuts: Shortcuts,
    unit: AttentionUnit | None,
    known: dict[Any, Lowered],
    weights: Weights,
) -> list[Way]:
    modes: list[Literal["compose", "relay"]] = ["compose", "relay"]
    if shortcuts != "auto":
        modes = ["compose" if shortcuts == "compose" else "relay"]
    elif not target.graded_spikes:
        modes = ["compose"]
    found: list[Way] = []
    for mode in modes:
        key = (target.graded_spikes, unit is not None, mode)
        if key not in known:
            known[key] = gather(parted, mode, attention=unit is not None)
        lowered = known[key]
        found.append(_way(lowered, target, 2 if weights == "double" else 1))
        if lowered.network.shortcuts == "none" and not lowered.violations:
            break
    if shortcuts == "relay" and not target.graded_spikes:
        way = found[0]
        found = [replace(way, violations=(_no_relays(target), *way.violations))]
    return found


def _way(lowered: Lowered, target: Target, parts: int) -> Way:
    network = suited(lowered.network, target)
    found = (*lowered.violations, *illegal(network, target))
    if lowered.violations:
        return Way(network, found, None)
    made = structure(network, target, parts=parts)
    late = too_long(made, target)
    return Way(network, (*found, *late), None if late else made)


def _no_relays(target: Target) -> Violation:
    said = f"{target.name} has no graded spikes, which --shortcuts relay needs; use compose"
    return Violation("", said, "", "graded spikes", advice="use compose")


def _no_neuron() -> Violation:
    return Violation("", NO_NEURON, "", "no spiking neuron")


def not_compiled(target: Target) -> Violation:
    """Nothing compiles for a target whose neuron is another."""
    said = f"no program is compiled for {target.name}: {target.not_compiled}"
    return Violation("", said, "", "target")


def _mapped(way: Way, target: Target) -> Way:
    if way.structure is None:
        return way
    mapping = map_structure(way.structure, target)
    return replace(way, mapping=mapping, violations=(*way.violations, *mapping.violations))


def map_structure(network: Network, target: Target) -> Mapped:
    """A network with or without weights on the fewest cores."""
    try:
        return Mapped(place(network, target, mode="tiles", objective="cores", advise=False))
    except FitError as error:
        tried = suggestions(network, target)
        return Mapped(None, (_unfit(str(error), network, sentence(tried)),), tried)


def _unfit(said: str, network: Network, advice: str) -> Violation:
    labels = (p.origin or p.name for p in network.populations)
    layer = next((label for label in labels if said.startswith(f"{label} ")), "")
    said = f"{said.removeprefix(layer)} {advice}".rstrip()
    return Violation(layer, said, layer, "does not fit", advice=advice, too_large=True)
