"""Why a spike differs: the one change that explains it.

float against integers: the membrane of the neuron is rebuilt with one approximation at a time.
integers against integers: the population is run again, on the other side's spikes, with one number
changed (each register of its neuron, bias, delay) or without saturation; the change that gives the
other side's spikes is the cause.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from snndeploy.engines.functional import misaligned
from snndeploy.network import Network
from snndeploy.neurons import UNBOUNDED, Equation, FiresAt, equation_of
from snndeploy.ops.evaluate import by_step
from snndeploy.ops.neuron import replay, total_current
from snndeploy.program import Program
from snndeploy.verify.divergence import (
    Divergence,
    Spikes,
    input_series,
    replayed,
    run_alone,
)
from snndeploy.verify.reduced_numbers import by_weight

WRAPPED = 1 << 17  # units of a: half of what a wrapped current is off by
TIE = 1e-5  # of the threshold: closer than this the float model itself is undecided


def explain_integers(
    network: Network, divergence: Divergence, other: Spikes, injected: Mapping[int, np.ndarray]
) -> tuple[str, float | None, float | None]:
    """The change of one number under which our population does what the other side did.

    other: the other side's spikes, of the population and of its sources.
    Returns the cause and the membranes at the divergence, before the reset, in units of v: ours,
    and the other side's as the changed population has it (None: unknown).
    """
    name = divergence.population
    if any(p.source not in other for p in network.incoming(name)):
        return "unknown: the other side recorded no spikes of its sources", None, None
    read = (name, *(p.source for p in network.incoming(name)))
    if any(network.by_name[n].neuron.sends_integers and other[n].dtype == np.uint8 for n in read):
        return "unknown: of payloads only whether they were zero is recorded", None, None
    place = (divergence.sample, divergence.step, *divergence.neuron)
    ours = _membrane(network, name, other, injected, place)
    late = [p for p, steps in misaligned(network) if p.target == name and steps]
    if late:
        first = late[0]
        text = f"delay: {first.name} waits {first.delay} steps, not as its path needs"
        return text, ours, None
    if _reproduces(network, name, other, injected):
        return "input: on the other side's spikes our population does the same", ours, None
    for cause, changed, shifted in _hypotheses(network, name, other):
        if _reproduces(changed, name, shifted, injected, other):
            return cause, ours, _membrane(changed, name, shifted, injected, place)
    free = replayed(network, name, other, injected, UNBOUNDED)
    if np.array_equal(free.sent, other[name]):
        text = "saturation: the other side's membrane does not stop at 24 bits"
        return text, ours, float(free.before[place])
    wrong = np.argwhere(run_alone(network, name, other, injected).spikes[name] != other[name])
    channels = sorted({int(channel) for channel in wrong[:, 2]})
    where = f"channel {channels[0]}" if len(channels) == 1 else f"{len(channels)} channels"
    text = f"weights or bias of {where}: no single register or delay explains it"
    return text, ours, None


def _membrane(
    network: Network,
    name: str,
    spikes: Spikes,
    injected: Mapping[int, np.ndarray],
    place: tuple[int, ...],
) -> float | None:
    """The membrane before the reset; None: it has none."""
    if not network.by_name[name].neuron.has_membrane:
        return None
    return float(replayed(network, name, spikes, injected).before[place])


def _reproduces(
    network: Network,
    name: str,
    spikes: Spikes,
    injected: Mapping[int, np.ndarray],
    wanted: Spikes | None = None,
) -> bool:
    found = run_alone(network, name, spikes, injected).spikes[name]
    return bool(np.array_equal(found, (wanted or spikes)[name]))


def _hypotheses(
    network: Network, name: str, other: Spikes
) -> Iterator[tuple[str, Network, Spikes]]:
    population = network.by_name[name]
    for cause, neuron in population.neuron.changes():
        yield cause, _with(network, name, neuron=neuron), other
    if population.bias is not None:
        for bits, word in ((13, "13-bit register"), (16, "int16")):
            wrapped = _wrap(population.bias, bits)
            if not np.array_equal(wrapped, population.bias):
                yield f"wrapped bias ({word})", _with(network, name, bias=wrapped), other
        yield "bias missing", _with(network, name, bias=None), other
    sources = dict.fromkeys(p.source for p in network.incoming(name))
    for source in sources:
        for late in (-3, -2, -1, 1, 2, 3):
            moved = {**other, source: _shift(other[source], late)}
            word = "late" if late > 0 else "early"
            steps = f"{abs(late)} step{'s' if abs(late) > 1 else ''}"
            yield f"delay: {source} arrives {steps} {word} on the other side", network, moved


def _with(network: Network, name: str, **changes: object) -> Network:
    populations = tuple(
        replace(p, **changes) if p.name == name else p  # type: ignore[arg-type]
        for p in network.populations
    )
    return replace(network, populations=populations)


def _wrap(values: np.ndarray, bits: int) -> np.ndarray:
    half = 1 << (bits - 1)
    return ((values.astype(np.int64) + half) % (2 * half) - half).astype(np.int32)


def _shift(spikes: np.ndarray, late: int) -> np.ndarray:
    moved = np.zeros_like(spikes)
    steps = spikes.shape[1]
    if late > 0:
        moved[:, late:] = spikes[:, : steps - late]
    else:
        moved[:, : steps + late] = spikes[:, -late:]
    return moved


def explain_float(
    program: Program,
    divergence: Divergence,
    float_values: Mapping[str, object],
    chip_spikes: Spikes,
    injected: Mapping[int, np.ndarray],
) -> Divergence:
    """Membranes of both sides and the approximation that flipped the spike.

    float_values: tensors of the float model, with the input current of the population's neuron.
    Everything before the divergence agrees, so both sides saw the same spikes.
    """
    network = program.network
    population = network.by_name[divergence.population]
    if population.attention_at("membrane"):
        mixed = "rounding, of weights, leak or attention: they mix in the membrane's attention"
        return replace(divergence, cause=mixed)
    node = program.model.by_name[population.origin]
    source = program.model.by_name[node.inputs[0]]
    samples = len(next(iter(injected.values()))) if injected else 1
    current = by_step(source, float_values[source.name], samples)
    if node.feedback is not None:
        current = total_current(node, current, by_step(node, float_values[node.name], samples))
    place = (divergence.sample, slice(None), *divergence.neuron)
    exact = network.kept_of(population.name, current)[place].astype(np.float64)
    if len(exact) == 1:
        exact = np.repeat(exact, network.timesteps)
    trained, unit, step = equation_of(node.attributes), population.scale / 64, divergence.step
    model = _Model.of(trained, exact, program)
    neuron = model.neuron
    quantized = input_series(network, population.name, chip_spikes, injected)[place] * unit
    chip = replayed(network, population.name, chip_spikes, injected)
    free = replayed(network, population.name, chip_spikes, injected, UNBOUNDED)
    membrane = float(replay(*model.arrived(neuron))[0][step])
    unsaturated = int(free.sent[place][step]) == divergence.expected_spike
    layer = program.facts.quantized(population.name)
    decided = layer is not None and layer.exact  # on a grid a tie is a number like others
    if not decided and abs(membrane - neuron.threshold) <= TIE * neuron.threshold:
        cause = "threshold tie"
    elif unsaturated and chip.sent[place][step] != free.sent[place][step]:
        cause = "membrane saturated at 24 bits"
    else:
        rounded = population.neuron.real(population.scale, neuron)
        whole = (population.neuron.fires_above or 0) * unit
        tested = replace(rounded, threshold=whole, fires_at=FiresAt.ABOVE)
        cause = _float_cause(model, rounded, tested, quantized, divergence)
    if cause == "weight rounding":
        cause = _input_cause(program, population.name, model, quantized, step)
        cause += " and its attention's fixed point" if population.attention else ""
    above = population.neuron.fires_above
    moved = trained.threshold - neuron.threshold
    return replace(
        divergence,
        expected_membrane=membrane + moved,
        found_membrane=float(chip.before[place][step]) * unit + moved,
        threshold=trained.threshold,
        found_above=None if above is None else above * unit + moved,
        cause=cause,
    )


@dataclass(frozen=True, eq=False)
class _Model:
    """One float neuron as the chip has it (`Equation.suited`), on its inputs X.

    added: the constant that the change of variable adds to the membrane.
    """

    neuron: Equation
    inputs: np.ndarray
    added: float

    @classmethod
    def of(cls, trained: Equation, inputs: np.ndarray, program: Program) -> _Model:
        found = trained.suited(program.target)
        return cls(found.equation, inputs, found.added)

    def arrived(self, changed: Equation) -> tuple[Equation, np.ndarray]:
        """A changed neuron behind its synaptic current, and what its membrane takes in then."""
        if not (kept := _kept(changed)):
            return changed, self.inputs + self.added
        filtered, current = np.empty_like(self.inputs), 0.0
        for step, x in enumerate(self.inputs):
            filtered[step] = current = kept * current + x
        return _behind_current(changed), filtered + self.added


def _kept(neuron: Equation) -> float:
    """What of the synaptic current lasts a step."""
    return float(getattr(neuron, "current_decay", 0.0))


def _behind_current(neuron: Equation) -> Equation:
    """The neuron on a current that has passed its filter already."""
    without: dict[str, Any] = {"current_decay": 0.0}
    return replace(neuron, **without) if _kept(neuron) else neuron


def _float_cause(
    model: _Model,
    rounded: Equation,
    tested: Equation,
    quantized: np.ndarray,
    divergence: Divergence,
) -> str:
    """The first of the approximations, each alone, under which the trained neuron does what the
    chip did.  rounded: the neuron as its registers say it; tested: with the test in whole units,
    V > M - 1 for U >= M."""
    neuron = model.neuron

    def flips(changed: Equation, arrived: np.ndarray) -> bool:
        return int(replay(changed, arrived)[1][divergence.step]) == divergence.found_spike

    for field in fields(neuron):
        value = getattr(rounded, field.name)
        if value == getattr(neuron, field.name):
            continue
        if flips(*model.arrived(replace(neuron, **{field.name: value}))):
            if isinstance(value, float):
                return f"{field.name} rounding"
            return f"{field.name}: the chip's is {value}, the model's {getattr(neuron, field.name)}"
    if flips(_behind_current(neuron), quantized):
        return "weight rounding"
    coarse = replace(neuron, threshold=tested.threshold, fires_at=tested.fires_at)
    if flips(*model.arrived(coarse)):
        return "threshold rounding"
    if any(flips(_behind_current(neuron), quantized) for neuron in (rounded, tested)):
        return "weight and register rounding together"
    return "membrane rounding (the integer leak rounds toward zero)"


def _input_cause(
    program: Program, name: str, model: _Model, quantized: np.ndarray, step: int
) -> str:
    """Within the input: rounding of weights, of what the host sends, a clip, or an overflow."""
    layer = program.facts.quantized(name)
    network = program.network
    if not network.incoming(name):
        return "host value rounding"
    scale, kept = network.by_name[name].scale, _kept(model.neuron)
    exact = model.arrived(model.neuron)[1]
    off = float(np.abs(quantized - exact)[: step + 1].max())
    if off > scale * WRAPPED:
        return "the current wrapped at 24 bits"
    rounded = [parts[-1] for parts in by_weight(program, name)]  # high parts are whole
    fan_in = sum(p.connection.fan_in * 2**p.exponent for p in rounded)
    bound = 0.5 * fan_in * scale * sum(kept**age for age in range(step + 1))
    if off > bound:
        return "overflow of the accumulator" if layer and not layer.proved else "clip"
    clipped = layer.clipped_weights if layer else 0
    return (
        f"weight rounding (with {clipped} clipped weights in the layer)"
        if clipped
        else ("weight rounding")
    )
