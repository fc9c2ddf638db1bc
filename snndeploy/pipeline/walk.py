"""The walk from a SPEC to a program: one step a line, checks between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from snndeploy.conversion.facts import Conversion
from snndeploy.data import Data
from snndeploy.errors import DeployError, FitError
from snndeploy.frontend.door import (
    TO_COMPILE,
    Need,
    Opened,
    OpenedModel,
    OpenedNetwork,
    SpecOptions,
    Step,
    silent,
)
from snndeploy.frontend.doors import door_of, open_model, open_spec, refuse_options
from snndeploy.frontend.integers import input_graph
from snndeploy.graph import Graph
from snndeploy.layout.layout import Layout
from snndeploy.lower.real_network import RealNetwork
from snndeploy.mapping import given_layout, place
from snndeploy.network import Network
from snndeploy.neurons import Relay
from snndeploy.passes.signals import infer_signals
from snndeploy.pipeline.converted import open_converted
from snndeploy.pipeline.facts import audit_facts, compiled_facts, network_facts
from snndeploy.pipeline.golden import golden
from snndeploy.pipeline.options import Options, given_of_real_numbers, split
from snndeploy.pipeline.samples import Samples, observed, take_samples
from snndeploy.pipeline.stages import Dump
from snndeploy.program import Facts, Program, check_own
from snndeploy.quantize.fixed import FixedScales
from snndeploy.quantize.quantize import AttentionUnit, quantize
from snndeploy.target import Target
from snndeploy.verdict import Shortcuts, judge
from snndeploy.verify.reduced import reduce_program

GOLDEN_SAMPLES = 2


def load_graph(
    spec: str,
    checkpoint: str | Path | None = None,
    *,
    need: Need = TO_COMPILE,
    step: Step = silent,
    lacks: str = "has no graph in real numbers",
    **given: Any,
) -> tuple[OpenedModel, Graph]:
    """A SPEC's network in real numbers: as opened, and its graph with signals.

    given: the other fields of `frontend.door.SpecOptions`; need, lacks: see `frontend.doors`.

    Raises:
        DeployError: one line, also when the SPEC is integers already, which have no such graph.
    """
    opened = open_model(spec, SpecOptions(checkpoint, **given), need, step, lacks=lacks)
    return opened, infer_signals(opened.graph)


def compile(
    spec: str,
    checkpoint: str | Path | None = None,
    *,
    target: str | Path | Target = "loihi2",
    step: Step = silent,
    **given: Any,
) -> Program:
    """From a SPEC to a program for one chip.

    spec: a shipped model, FILE.py:FACTORY(arguments), NET.onnx, or a lava-dl .net file
    (`frontend.doors`).
    given: the fields of `frontend.door.SpecOptions`, what to know of the SPEC, and of
    `pipeline.options.Options`, how it is compiled.

    Raises:
        DeployError: one line, whatever cannot be done.
        TypeError: an option that is neither.
    """
    chip = target if isinstance(target, Target) else Target.load(target)
    chip.require_compiled()
    of_spec, options = split({"checkpoint": checkpoint, **given})
    door = door_of(spec)
    if door.gives == "network":
        refuse_options(door, spec, *given_of_real_numbers(options))
    options = options.with_frames()
    of_spec = of_spec if of_spec.data else replace(of_spec, data=options.calibration)
    if options.convert:
        opened, conversion = open_converted(spec, of_spec, options, step)
        return compile_opened(opened, chip, options, step, conversion=conversion)
    return compile_opened(open_spec(spec, of_spec, step=step), chip, options, step)


def compile_opened(
    opened: Opened,
    chip: Target,
    options: Options | None = None,
    step: Step = silent,
    *,
    scales: FixedScales | None = None,
    conversion: Conversion | None = None,
) -> Program:
    """From an opened SPEC to a program; a network of integers enters where it is mapped.

    scales: of `fix_scales`, of the same network with these weights or others.  conversion: how it
    was made of an ANN.

    Raises:
        DeployError: one line, whatever cannot be done.
        AssertionError: the program that was made would be refused when it is read: our fault.
    """
    options = options or Options()
    dump = Dump(options.dump)
    try:
        program = _compiled(opened, chip, options, step, dump, scales, conversion)
    except DeployError:
        dump.write()
        raise
    dump.write()
    return program


def _compiled(
    opened: Opened,
    chip: Target,
    options: Options,
    step: Step,
    dump: Dump,
    scales: FixedScales | None,
    conversion: Conversion | None,
) -> Program:
    if isinstance(opened, OpenedModel):
        found, program = _that_fits(opened, chip, options, step, dump, scales)
    else:
        found = _as_it_came(opened, options)
        step("map onto cores")
        program = _mapped(found, chip, options, dump)
    program = replace(program, facts=replace(program.facts, conversion=conversion))
    if options.reduce != "off" and found.held_back is not None:
        step("reduce, and compare on held-back data")
        program = _reduced(program, found, options, dump)
    if len(found.samples):
        step("record a golden answer")
        program = replace(program, golden=golden(program, found.samples[:GOLDEN_SAMPLES]))
    step("check the program as a loader does")
    check_own(program)
    return program


def _that_fits(
    opened: OpenedModel,
    chip: Target,
    options: Options,
    step: Step,
    dump: Dump,
    scales: FixedScales | None,
) -> tuple[_Integers, Program]:
    """Quantized and mapped; without second parts of weights that nobody asked for and no core
    holds."""
    found = _quantized(opened, chip, options, step, dump, scales)
    step("map onto cores")
    try:
        return found, _mapped(found, chip, options, dump)
    except FitError:
        doubled = any(q.weight_precision == "double" for q in found.facts.quantization)
        if options.weights != "auto" or not doubled:
            raise
    found = _quantized(opened, chip, replace(options, weights="single"), step, dump, scales)
    note = "weights take one projection each: with two, the network does not fit"
    facts = replace(found.facts, notes=(*found.facts.notes, note))
    found = replace(found, facts=facts)
    return found, _mapped(found, chip, options, dump)


@dataclass(frozen=True, eq=False)
class _Integers:
    """A network of integers, ready to be mapped.

    model: the float graph, with the nodes that lowering added on the host's side.
    seen: what calibration saw, by graph node.  samples: its inputs, (0,) without any.
    """

    network: Network
    model: Graph
    facts: Facts
    seen: Mapping[str, np.ndarray]
    samples: np.ndarray
    held_back: Data | None = None
    scales: FixedScales | None = None


def fix_scales(opened: OpenedModel, chip: Target, options: Options | None = None) -> FixedScales:
    """The scales that `compile_opened` chooses, weights in one part, to compile with them again.

    Raises:
        DeployError: one line, whatever cannot be done.
    """
    single = replace(options or Options(), weights="single")
    found = _quantized(opened, chip, single, silent, Dump(None), None)
    assert found.scales is not None
    return found.scales


def _quantized(
    opened: OpenedModel,
    chip: Target,
    options: Options,
    step: Step,
    dump: Dump,
    scales: FixedScales | None,
) -> _Integers:
    """From a traced graph to integers."""
    dump("traced", opened.graph)
    step("lower to populations and projections")
    found = judge(
        infer_signals(opened.graph), chip, shortcuts=_shortcuts(options, scales),
        host_attention=options.host_attention, mapped=False,
    )  # fmt: skip
    parted, unit, choices = found.graph, found.unit, found.networks
    dump("partitioned", parted)
    found.require()
    step("calibrate on data")
    samples = take_samples(options, parted.input, opened.calibration)
    if scales is None:
        seen = observed(with_host_nodes(parted, choices), choices, samples.calibration)
    else:
        samples, seen = Samples(scales.samples, samples.held_back), scales.calibration
    rates = seen.rates()
    chosen = found.cheapest(rates)[0].network
    dump("lowered", chosen)
    step("quantize")
    kept = scales.chosen if scales else None
    made = quantize(chosen, chip, seen, unit or "chip", kept, options.weights)
    notes = (*samples.notes, *_unused_attention(options, chip, unit, choices))
    known = audit_facts(opened.facts, parted, found.flags(rates))
    return _Integers(
        made.network,
        with_host_nodes(parted, [chosen]),
        compiled_facts(known, made, found.plan(rates), notes, samples),
        seen.values,
        samples.calibration,
        samples.held_back,
        scales or FixedScales(chosen.shortcuts, samples.calibration, seen, made.chosen),
    )


def _shortcuts(options: Options, scales: FixedScales | None) -> Shortcuts:
    if scales is None or scales.shortcuts == "none":
        return options.shortcuts
    return "relay" if scales.shortcuts == "relay" else "compose"


def _as_it_came(opened: OpenedNetwork, options: Options) -> _Integers:
    """Integers that came as such: nothing is calibrated, and no option says how."""
    assert not given_of_real_numbers(options), given_of_real_numbers(options)
    facts, network = opened.facts, opened.network
    model = infer_signals(input_graph(network, facts.name))
    return _Integers(network, model, network_facts(facts, network), {}, np.zeros(0))


def _mapped(found: _Integers, chip: Target, options: Options, dump: Dump) -> Program:
    dump("integers", found.network)
    layout = _place(found.network, found.seen, chip, options)
    dump("layout", layout)
    name = found.facts.model.name
    return Program(name, found.model, found.network, layout, chip, None, found.facts)


def _place(
    network: Network, seen: Mapping[str, np.ndarray], chip: Target, options: Options
) -> Layout:
    if options.core_map is not None:
        return given_layout(options.core_map, network, chip)
    rates = _rates(network, seen) or None
    return place(
        network, chip, rates, mode=options.mapping, objective=options.objective,
        max_cores=options.max_cores,
    )  # fmt: skip


def _reduced(program: Program, found: _Integers, options: Options, dump: Dump) -> Program:
    assert options.reduce != "off" and found.held_back is not None

    def remap(network: Network) -> Layout:
        return _place(network, found.seen, program.target, options)

    made = reduce_program(program, options.reduce, found.samples, found.held_back, remap)
    dump("reduced_integers", made.network)
    dump("reduced_layout", made.layout)
    return made


def _unused_attention(
    options: Options, chip: Target, unit: AttentionUnit | None, choices: list[RealNetwork]
) -> tuple[str, ...]:
    """A note where --host-attention was given in vain."""
    attended = any(p.attention for choice in choices for p in choice.populations)
    if not options.host_attention or (unit == "host" and attended):
        return ()
    why = f"{chip.name} has a unit for it" if unit == "chip" else "the body has no attention"
    return (f"--host-attention changed nothing: {why}",)


def with_host_nodes(graph: Graph, choices: list[RealNetwork]) -> Graph:
    """The model's graph with the nodes that lowering added on the host's side."""
    nodes = {node.name: node for node in graph.nodes}
    for choice in choices:
        for node in choice.encoder.nodes:
            nodes.setdefault(node.name, node)
    return graph.with_nodes(nodes.values())


def _rates(network: Network, seen: Mapping[str, np.ndarray]) -> dict[str, float]:
    return {
        p.name: 1.0
        if isinstance(p.neuron, Relay)
        else float(np.mean(network.kept_of(p.name, seen[p.origin]) != 0))
        for p in network.populations
        if p.origin in seen and p.neuron.sends
    }
