"""Fit: does a network fit a chip?  Answered from its structure, before it is trained.

The model is traced with random weights and lowered as `compile` does; the network that is then
mapped has its shapes and no weights.  Of the ways to lower membrane shortcuts, the one with the
least energy at 0.2 spikes a neuron and step is taken, as in `compile` without calibration.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, assert_never

import numpy as np

from snndeploy.connections import Connection
from snndeploy.errors import FitError, UnsupportedError
from snndeploy.frontend.door import TO_FIT, OpenedNetwork, SpecOptions
from snndeploy.frontend.doors import open_spec
from snndeploy.graph import Graph
from snndeploy.lower.pipeline_delay import assign_depths
from snndeploy.lower.real_network import RealNetwork, RealPopulation
from snndeploy.mapping import place
from snndeploy.mapping.advice import Suggestion, suggestions
from snndeploy.network import Attention, Injection, Network, Population, Projection, Readout
from snndeploy.neurons import Input, Integrator, Lif, Neuron, Relay, kind_trained
from snndeploy.passes.partition import partition
from snndeploy.passes.signals import infer_signals
from snndeploy.pipeline.lowerings import attention_unit, lowering_costs, lowerings
from snndeploy.pipeline.options import Shortcuts
from snndeploy.target import Target

ASSUMED_RATE = 0.2  # spikes a neuron and step of a network that has not been trained


@dataclass(frozen=True)
class Fit:
    """The answer for one target.

    cores, chips: the fewest that hold the network; None where it does not fit.
    binding: the limiting resource in words, with both numbers; or why it does not fit.
    use: of each limited resource, the mean share of a core that is used, and the fullest core's.
    suggestions: where it does not fit, the smallest changes with which it would.
    """

    target: str
    fits: bool
    neurons: int
    shortcuts: str
    cores: int | None
    chips: int | None
    chips_available: int
    binding: str
    use: dict[str, tuple[float, float]]
    suggestions: tuple[Suggestion, ...] = ()
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def fit_spec(
    spec: str,
    targets: Sequence[str | Path | Target],
    *,
    shortcuts: Shortcuts = "auto",
    host_attention: bool = False,
    **given: Any,
) -> tuple[Fit, ...]:
    """The answers for a SPEC, one a target; given: fields of `frontend.door.SpecOptions`.

    Raises:
        DeployError: the model cannot be read, or does what no chip can.
    """
    chips = [target if isinstance(target, Target) else Target.load(target) for target in targets]
    for chip in chips:
        chip.require_compiled()
    opened = open_spec(spec, SpecOptions(**given), TO_FIT)
    if isinstance(opened, OpenedNetwork):
        return tuple(fit(opened.network, chip) for chip in chips)
    graph = infer_signals(opened.graph)
    known: dict[tuple[bool, ...], list[RealNetwork]] = {}
    units = [attention_unit(chip, host_attention) for chip in chips]
    return tuple(
        _fit_graph(graph, chip, shortcuts, unit is not None, known)
        for chip, unit in zip(chips, units, strict=True)
    )


def _fit_graph(
    graph: Graph,
    target: Target,
    shortcuts: Shortcuts,
    attention: bool,
    known: dict[tuple[bool, ...], list[RealNetwork]],
) -> Fit:
    """The answer for a traced graph; `known` keeps lowerings, which most targets share."""
    key = (target.graded_spikes, attention)
    try:
        if key not in known:
            parted = partition(graph, integer_input_on_chip=target.graded_spikes)
            known[key] = lowerings(parted, target, shortcuts, attention=attention)
    except UnsupportedError as error:
        return _refused(target, 0, "", str(error), ())
    return fit(cheapest(known[key], target), target)


def cheapest(choices: Sequence[RealNetwork], target: Target) -> RealNetwork:
    """The lowering with the least energy in synapses and host link, without calibration."""
    costs = lowering_costs(choices, target, {}, ASSUMED_RATE)
    return min(zip(costs, choices, strict=True), key=lambda pair: pair[0].weight)[1]


def fit(network: RealNetwork | Network, target: Target) -> Fit:
    """The answer for a lowered network, with or without weights."""
    shortcuts = network.shortcuts if isinstance(network, RealNetwork) else ""
    neurons = 0
    try:
        structural = network if isinstance(network, Network) else structure(network, target)
        neurons = structural.neurons
        layout = place(structural, target, mode="tiles", objective="cores", advise=False)
    except FitError as refusal:
        plain = network if isinstance(network, Network) else structure(network)
        return _refused(target, plain.neurons, shortcuts, str(refusal), suggestions(plain, target))
    use = {
        name: (float((layout.use[name] / limit).mean()), float((layout.use[name] / limit).max()))
        for name, limit in layout.limits.items()
    }
    return Fit(
        target=target.name,
        fits=True,
        neurons=neurons,
        shortcuts=shortcuts,
        cores=layout.cores,
        chips=layout.chips,
        chips_available=target.max_chips,
        binding=layout.binding,
        use=use,
        notes=layout.notes,
    )


def _refused(
    target: Target, neurons: int, shortcuts: str, why: str, found: tuple[Suggestion, ...]
) -> Fit:
    return Fit(target.name, False, neurons, shortcuts, None, None, target.max_chips, why, {}, found)


def structure(network: RealNetwork, target: Target | None = None) -> Network:
    """Populations and projections of a lowered network, with weights that take no memory.

    With a target, shortcuts that must wait longer than its synapses can are refused.
    """
    populations = tuple(_population(p) for p in network.populations)
    projections = tuple(
        Projection(f"{term.source}->{p.name}#{index}", term.source, p.name, _empty(term.connection))
        for p in network.populations
        for index, term in enumerate(p.terms)
    )
    injections = tuple(
        Injection(p.name, p.host or p.node, _mode(p))
        for p in network.populations
        if p.kind == "input" or p.host
    )
    readout = Readout(network.readout.population, network.readout.kind)
    made = Network(network.timesteps, populations, projections, injections, readout)
    return made if target is None else assign_depths(made, target)


def _population(population: RealPopulation) -> Population:
    bias = None
    if population.offset is not None and np.any(population.offset):
        flat = population.offset.reshape(population.shape[0], -1)
        same = bool((flat == flat[:, :1]).all())
        bias = np.broadcast_to(np.int32(0), population.shape[:1] if same else population.shape)
    return Population(
        population.name,
        population.shape,
        _unscaled(population),
        bias=bias,
        origin=population.node,
        attention=tuple(
            Attention(
                region.graph,
                "membrane" if region.location == "membrane" else "current",
                region.full_window,
            )
            for region in population.attention
        ),
    )


def _unscaled(population: RealPopulation) -> Neuron:
    """The kind of its neurons; registers do not count here."""
    match population.kind:
        case "input":
            return Input()
        case "integrator":
            return Integrator()
        case "relay":
            return Relay()
        case "or":
            return Lif()
        case "lif":
            assert population.neuron is not None
            return kind_trained(population.neuron)()
        case unknown:
            assert_never(unknown)


def _empty(connection: Connection) -> Connection:
    return connection.with_weight(np.broadcast_to(np.int8(0), connection.weight.shape))


def _mode(population: RealPopulation) -> Any:
    if population.kind == "input":
        return "spikes"
    return "bias" if population.host_constant else "graded"


def fit_text(found: Sequence[Fit]) -> str:
    """The answers as the terminal shows them."""
    return "\n".join(_text(one) for one in found)


def _text(found: Fit) -> str:
    way = f", shortcuts {found.shortcuts}" if found.shortcuts not in ("", "none") else ""
    if not found.fits:
        lines = [f"{found.target}: does not fit", f"  {found.binding}"]
        return "\n".join([*lines, *(f"  would fit with {s.text}" for s in found.suggestions), ""])
    lines = [
        f"{found.target}: fits on {found.cores:,} core{'s' * (found.cores != 1)} of"
        f" {found.chips:,} chip{'s' * (found.chips != 1)} ({found.chips_available:,} available);"
        f" {found.neurons:,} neurons{way}",
        f"  what binds: {found.binding}",
    ]
    for name, (mean, most) in found.use.items():
        words = name.replace("_", " ")
        lines.append(f"  {words:<22} mean {mean:7.2%} of a core, fullest {most:7.2%}")
    return "\n".join([*lines, ""])
