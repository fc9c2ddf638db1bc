"""The walk from a checkpoint to a program: one step a line, checks between them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import numpy as np

from snndeploy.costs import layer_costs
from snndeploy.data import Data, load_data
from snndeploy.engines.engine import run_network
from snndeploy.errors import DataError, UnsupportedError
from snndeploy.frontend.load import Loaded
from snndeploy.frontend.load import load as load_model
from snndeploy.frontend.torch import trace
from snndeploy.graph import Axes, Graph, Node
from snndeploy.layout.layout import Layout
from snndeploy.lower.lower import lower
from snndeploy.lower.real_network import LoweringCost, RealNetwork, lowering_cost
from snndeploy.mapping import Mode, Objective, place
from snndeploy.network import Network
from snndeploy.passes.audit import Audit, AuditRow, audit
from snndeploy.passes.partition import partition
from snndeploy.passes.signals import infer_signals
from snndeploy.program import Golden, Program
from snndeploy.quantize.calibration import Calibration, calibrate
from snndeploy.quantize.quantize import AttentionUnit, Quantized, quantize
from snndeploy.simulator.run import encode
from snndeploy.target import Target
from snndeploy.verify.reduced import reduce_program

Shortcuts = Literal["auto", "compose", "relay"]
Reduce = Literal["off", "exact", "calibrated"]
Step = Callable[[str], None]

CALIBRATION_SAMPLES = 64
CALIBRATION_VALUES = 150_000_000  # recorded values, all samples together
GOLDEN_SAMPLES = 2


def silent(step: str) -> None:
    """The default progress report."""


def load_graph(
    spec: str,
    checkpoint: str | Path | None = None,
    *,
    random_weights: bool = False,
    input_shape: tuple[int, ...] | None = None,
    input_signal: str | None = None,
    timesteps: int | None = None,
    adapters: Iterable[Any] = (),
    spiking: bool = True,
    step: Step = silent,
) -> tuple[Loaded, Graph]:
    """Module and traced graph with signals; see `frontend.load.load` and `frontend.torch.trace`."""
    step("load the model")
    loaded = load_model(spec, checkpoint, random_weights=random_weights, input_shape=input_shape)
    step("trace it and compare the graph with the model")
    traced = trace(
        loaded.module, loaded.example, timesteps=timesteps, input_signal=input_signal,
        adapters=adapters, name=loaded.name, spiking=spiking,
    )  # fmt: skip
    return loaded, infer_signals(traced)


def inspect(graph: Graph, target: Target | None = None) -> tuple[Graph, Audit]:
    """Partitioned graph and its audit."""
    on_chip = target is not None and target.graded_spikes
    parted = partition(graph, integer_input_on_chip=on_chip)
    return parted, audit(parted)


def compile(
    spec: str,
    checkpoint: str | Path | None = None,
    *,
    target: str | Path | Target = "loihi2",
    calibration: str | Path | None = None,
    shortcuts: Shortcuts = "auto",
    host_attention: bool = False,
    mapping: Mode = "anneal",
    objective: Objective = "balanced",
    reduce: Reduce = "off",
    held_back: str | Path | None = None,
    random_weights: bool = False,
    input_shape: tuple[int, ...] | None = None,
    input_signal: str | None = None,
    timesteps: int | None = None,
    adapters: Iterable[Any] = (),
    step: Step = silent,
) -> Program:
    """From a model to a program; see `load_graph` and `compile_graph` for the arguments.

    Raises:
        DeployError: one line, whatever cannot be done.
    """
    chip = target if isinstance(target, Target) else Target.load(target)
    chip.require_compiled()
    loaded, graph = load_graph(
        spec, checkpoint, random_weights=random_weights, input_shape=input_shape,
        input_signal=input_signal, timesteps=timesteps, adapters=adapters, step=step,
    )  # fmt: skip
    return compile_graph(
        loaded, graph, chip, calibration=calibration, shortcuts=shortcuts,
        host_attention=host_attention, mapping=mapping, objective=objective, reduce=reduce,
        held_back=held_back, step=step,
    )  # fmt: skip


def compile_graph(
    loaded: Loaded,
    graph: Graph,
    chip: Target,
    *,
    calibration: str | Path | None = None,
    shortcuts: Shortcuts = "auto",
    host_attention: bool = False,
    mapping: Mode = "anneal",
    objective: Objective = "balanced",
    reduce: Reduce = "off",
    held_back: str | Path | None = None,
    step: Step = silent,
) -> Program:
    """From a traced model to a program for one chip.

    reduce: remove redundant channels, 'exact' by proof, 'calibrated' also by what they do on the
    calibration data (`reduce.reduce`).  held_back: data on which that is checked.
    host_attention: where the target has no unit for attention in the body, the host computes it
    between two steps; else that is refused.

    Raises:
        DeployError: one line, whatever cannot be done.
    """
    parted, checked = inspect(graph, chip)
    step("lower to populations and projections")
    unit = attention_unit(chip, host_attention)
    choices = lowerings(parted, chip, shortcuts, attention=unit is not None)
    step("calibrate on data")
    data, notes = calibration_data(loaded, graph, calibration)
    if host_attention and not (unit == "host" and _attended(choices)):
        why = f"{chip.name} has a unit for it" if unit == "chip" else "the body has no attention"
        notes = [*notes, f"--host-attention changed nothing: {why}"]
    checked_on = held_back_data(loaded, graph, calibration, held_back, reduce, data)
    model = _with_host_nodes(parted, choices)
    seen = calibrate(model, _few(data, choices), _recorded(choices))
    chosen, costs = choose(choices, seen, chip)
    step("quantize")
    quantized = quantize(chosen, chip, seen, unit or "chip")

    def mapped(network: Network) -> Layout:
        return place(network, chip, _rates(network, seen), mode=mapping, objective=objective)

    step("map onto cores")
    layout = mapped(quantized.network)
    program = Program(
        name=loaded.name,
        model=_with_host_nodes(parted, [chosen]),
        network=quantized.network,
        layout=layout,
        target=chip,
        golden=None,
        facts=_facts(loaded, parted, checked, quantized, costs, notes, len(data)),
    )
    if reduce != "off" and checked_on is not None:
        step("reduce, and compare on held-back data")
        program = reduce_program(program, reduce, data, checked_on, mapped)
    step("record a golden answer")
    return replace(program, golden=golden(program, data[:GOLDEN_SAMPLES]))


def compile_imported(
    spec: str | Path,
    *,
    target: str | Path | Target = "loihi2",
    timesteps: int | None = None,
    input_neuron: tuple[int, ...] | None = None,
    mapping: Mode = "anneal",
    objective: Objective = "balanced",
    step: Step = silent,
) -> Program:
    """A program of a lava-dl `.net` file: integers already, so nothing is traced or quantized.

    input_neuron: threshold, weight and decay of a spiking input layer for a file that has none
    (`frontend.netx.network.InputNeuron`; the last two may be left out).

    Data for it has one array a sample: (channels, height, width) where the input neurons are
    driven by a bias, (timesteps, channels, height, width) where the host sends spikes.
    """
    from snndeploy.frontend.netx.reader import InputNeuron, load_netx

    chip = target if isinstance(target, Target) else Target.load(target)
    chip.require_compiled()
    step("read the network")
    names = ("threshold", "weight", "membrane_decay")
    given = dict(zip(names, input_neuron or (), strict=False))
    network = load_netx(spec, timesteps, input_neuron=InputNeuron(**given) if given else None)
    step("map onto cores")
    layout = place(network, chip, mode=mapping, objective=objective)
    return Program(
        name=Path(spec).stem,
        model=_input_graph(network, Path(spec).stem),
        network=network,
        layout=layout,
        target=chip,
        golden=None,
        facts=_imported_facts(network, Path(spec)),
    )


def _input_graph(network: Network, name: str) -> Graph:
    """A graph that only passes the input on to the network's injection."""
    (injection,) = network.injections
    shape = network.by_name[injection.target].shape
    time: Axes = () if injection.mode == "bias" else ((("time", network.timesteps),),)
    axes: Axes = ((("batch", 1),), *time, *((("feature", size),) for size in shape))
    signal = "real" if injection.mode == "bias" else "integer"
    node = Node(injection.encoder_output, "input", attributes={"signal": signal}, axes=axes)
    return infer_signals(Graph((node,), (node.name,), network.timesteps, name))


def _imported_facts(network: Network, path: Path) -> dict[str, Any]:
    graph = _input_graph(network, path.stem)
    weights = sum(p.connection.weight.size for p in network.projections)
    graded = [p.name for p in network.populations if p.sends_graded]
    return {
        "model": {
            "name": path.stem,
            "spec": path.name,
            "weights": path.name,
            "parameters": weights,
            "parameters_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "timesteps": network.timesteps,
            "input_shape": list(graph.input.shape[1:]),
            "input_signal": graph.input.attributes["signal"],
        },
        "calibration_samples": 0,
        "audit": _imported_audit(network),
        "flags": {
            "synapses_binary": not graded,
            "needs_dynamic_multiply": False,
            "needs_full_window": False,
            "reasons": [f"{name} sends integers" for name in graded],
        },
        "layers": [],
        "quantization": [],
        "shortcuts": [],
        "notes": [
            *network.notes,
            "imported as integers: there is no float model to compare with",
        ],
        "made_with": _versions(),
    }


def _imported_audit(network: Network) -> list[dict[str, Any]]:
    """One row a projection: synapses times steps, as the audit of a traced model counts."""
    counted = [(p, count * network.timesteps) for p, count in network.synapses()]
    total = sum(count for _, count in counted) or 1
    rows = []
    for projection, count in counted:
        graded = network.by_name[projection.source].sends_graded
        row = AuditRow(
            layer=projection.target,
            op="conv" if projection.connection.has_plane else "linear",
            side="body",
            input_signal="integer" if graded else "binary",
            work="integer" if graded else "accumulate",
            operations=count,
            share=count / total,
            hoisted=False,
            reason="",
            rewrite="",
        )
        rows.append(row.as_json())
    return rows


def _attended(choices: Sequence[RealNetwork]) -> bool:
    return any(p.attention for choice in choices for p in choice.populations)


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


def calibration_data(
    loaded: Loaded, graph: Graph, path: str | Path | None
) -> tuple[np.ndarray, list[str]]:
    """Calibration inputs (samples, ...): the user's, the shipped ones, or random with a note."""
    shape = graph.input.shape[1:]
    shipped = loaded.entry.calibration_data if loaded.entry else None
    source = path or shipped
    if source is not None:
        data = load_data(source).take(CALIBRATION_SAMPLES)
        return data.fit(shape, graph.input.attributes["signal"]).inputs(), []
    generator = np.random.default_rng(0)
    kind = graph.input.attributes["signal"]
    count = 2
    x = (
        generator.random((count, *shape))
        if kind == "real"
        else np.minimum(generator.poisson(0.1, (count, *shape)), 1 if kind == "binary" else np.inf)
    )
    note = (
        "no calibration data was given: scales rest on two random inputs (uniform in 0..1, or"
        " Poisson events); give --calibration DATA.npz for figures that mean something"
    )
    return x.astype(np.float32), [note]


def held_back_data(
    loaded: Loaded,
    graph: Graph,
    calibration: str | Path | None,
    held_back: str | Path | None,
    reduce: Reduce,
    calibrated_on: np.ndarray,
) -> Data | None:
    """Samples to compare a reduced program on: the user's, else those that calibration left over.

    A reduction that is proved needs none: without any it is shown on the calibration samples.
    None without a reduction.

    Raises:
        DataError: nothing is left over, and the reduction rests on the calibration data.
    """
    if reduce == "off":
        return None
    shape, signal = graph.input.shape[1:], graph.input.attributes["signal"]
    if held_back is not None:
        return load_data(held_back).fit(shape, signal)
    source = calibration or (loaded.entry.calibration_data if loaded.entry else None)
    data = load_data(source) if source else None
    if data is not None and len(data.x) > CALIBRATION_SAMPLES:
        rest = slice(CALIBRATION_SAMPLES, None)
        labels = None if data.y is None else data.y[rest]
        return replace(data, x=data.x[rest], y=labels).fit(shape, signal)
    if reduce == "exact":
        return Data(calibrated_on, None, 1.0, data.name if data else "random inputs")
    have = f"{data.name} has {len(data.x)} samples" if data else "there is no calibration data"
    raise DataError(
        f"--reduce calibrated is checked on samples behind the first {CALIBRATION_SAMPLES}, which"
        f" calibration uses, but {have}; give --held-back DATA.npz"
    )


def golden(program: Program, x: np.ndarray) -> Golden:
    """Run a few samples and keep what the chip answered."""
    injected, _ = encode(program, x)
    names = [p.name for p in program.network.populations if p.kind not in ("input", "integrator")]
    activity = run_network(program.network, injected, record=names, samples=len(x))
    packed = {name: np.packbits(activity.spikes[name] != 0) for name in names}
    return Golden(x, injected, packed, activity.outputs)


def _recorded(choices: list[RealNetwork]) -> list[str]:
    names: list[str] = []
    for choice in choices:
        for population in choice.populations:
            names += [n for n in (population.node, population.current, population.host) if n]
    return list(dict.fromkeys(names))


def _few(data: np.ndarray, choices: list[RealNetwork]) -> np.ndarray:
    """As many samples as fit into memory when everything is recorded."""
    neurons = sum(int(np.prod(p.shape)) for choice in choices for p in choice.populations)
    each = 3 * neurons * choices[0].timesteps
    return data[: max(1, CALIBRATION_VALUES // max(each, 1))]


def _with_host_nodes(graph: Graph, choices: list[RealNetwork]) -> Graph:
    """The model's graph with the nodes that lowering added on the host's side."""
    nodes = {node.name: node for node in graph.nodes}
    for choice in choices:
        for node in choice.encoder.nodes:
            nodes.setdefault(node.name, node)
    return graph.with_nodes(nodes.values())


def _rates(network: Network, seen: Calibration) -> dict[str, float]:
    return {
        p.name: 1.0
        if p.kind == "relay"
        else float(np.mean(network.kept_of(p.name, seen.values[p.origin]) != 0))
        for p in network.populations
        if p.origin in seen.values and p.kind != "integrator"
    }


def _facts(
    loaded: Loaded,
    graph: Graph,
    checked: Audit,
    quantized: Quantized,
    costs: tuple[LoweringCost, ...],
    notes: list[str],
    calibration_samples: int,
) -> dict[str, Any]:
    return {
        **audit_facts(loaded, graph, checked),
        "flags": _program_flags(checked, quantized.network),
        "calibration_samples": calibration_samples,
        "quantization": [asdict(layer) for layer in quantized.layers],
        "shortcuts": [asdict(cost) for cost in costs],
        "notes": [*notes, *quantized.notes],
        "made_with": _versions(),
    }


def _program_flags(checked: Audit, network: Network) -> dict[str, Any]:
    """The model's flags as this program keeps them: relays send integers, not spikes."""
    flags = asdict(checked.flags)
    relays = [p for p in network.populations if p.kind == "relay"]
    forwarding = ", ".join(p.name for p in relays if not p.attention)
    refining = ", ".join(p.name for p in relays if p.attention)
    reasons = list(flags["reasons"])
    if refining:
        reasons.append(
            f"{refining}: sends refined values as graded spikes, so the layers behind read integers"
        )
    if forwarding:
        reasons.append(
            f"{forwarding}: forwards membrane currents as graded spikes, so the layers behind read"
            " integers; --shortcuts compose has none of these"
        )
    if relays:
        flags |= {"synapses_binary": False, "reasons": reasons}
    return flags


def audit_facts(loaded: Loaded, graph: Graph, checked: Audit) -> dict[str, Any]:
    """What is known of a model before a chip is chosen."""
    parameters = sum(p.numel() for p in loaded.module.parameters())
    return {
        "model": {
            "name": loaded.name,
            "spec": loaded.spec.rpartition("/")[2],
            "weights": loaded.weights or "random (seed 0)",
            "parameters": parameters,
            "parameters_sha256": _state_hash(loaded.module),
            "timesteps": graph.timesteps,
            "input_shape": list(graph.input.shape[1:]),
            "input_signal": graph.input.attributes["signal"],
        },
        "audit": [row.as_json() for row in checked.rows],
        "flags": asdict(checked.flags),
        "layers": [asdict(cost) for cost in layer_costs(graph)],
    }


def _state_hash(module: Any) -> str:
    digest = hashlib.sha256()
    for key, value in sorted(module.state_dict().items()):
        digest.update(key.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _versions() -> dict[str, str]:
    return {name: _version(name) for name in ("snndeploy", "torch", "numpy", "numba")}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


__all__ = ["compile", "compile_imported", "golden", "inspect", "load_graph"]
