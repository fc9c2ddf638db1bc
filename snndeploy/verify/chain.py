"""The chain float -> integers -> reference step -> simulator (-> Lava), link by link."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from snndeploy.engines.engine import run_network
from snndeploy.engines.reference import run_reference
from snndeploy.network import Network
from snndeploy.ops.evaluate import by_step, evaluate
from snndeploy.program import Program
from snndeploy.simulator.run import check_input, encode, injections_of
from snndeploy.verify.causes import explain_float, explain_integers
from snndeploy.verify.divergence import Divergence, Spikes, first_divergence, unpack
from snndeploy.verify.integers import Finding, check_integers

REFERENCE_WORK = 3_000_000_000  # synaptic taps the slow reference step may walk in one verify

Step = Callable[[str], None]


@dataclass(frozen=True)
class Link:
    """One link of the chain.

    exact: True or False where equality is demanded, None where agreement is only reported.
    agreement: share of equal values; compared: how many.
    """

    name: str
    exact: bool | None
    agreement: float
    compared: int
    first: Divergence | None = None
    findings: tuple[Finding, ...] = ()
    layers: Mapping[str, float] | None = None
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Verification:
    program: str
    samples: int
    links: tuple[Link, ...]

    @property
    def passed(self) -> bool:
        return all(link.exact is not False for link in self.links)

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": "snndeploy.verify/1",
            "program": self.program,
            "samples": self.samples,
            "passed": self.passed,
            "links": [link.as_json() for link in self.links],
        }


def verify(
    program: Program, x: np.ndarray, *, step: Step = lambda text: None
) -> tuple[Verification, Spikes, Mapping[int, np.ndarray], np.ndarray]:
    """Check every link that needs nothing but this program and a few inputs.

    x: (samples, ...).  Returns the verification, and for further links (Lava) the simulator's
    spikes, the injected integers and the outputs.
    """
    check_input(program, x)
    links = []
    if program.has_float_model:
        step("compare the integers with the float model")
        links.append(_integers(program))
    if program.golden is not None:
        step("replay the golden answer")
        links.append(_golden(program))
    step("run the simulator")
    injected, _ = encode(program, x)
    network = program.network
    names = recorded(network)
    activity = run_network(network, injected, record=names, samples=len(x))
    step("run the reference step")
    links.append(_reference(network, injected, activity.spikes, activity.outputs, len(x)))
    if program.has_float_model:
        step("compare with the float model")
        links.append(_float(program, x, activity.spikes))
    found = Verification(program.name, len(x), tuple(links))
    return found, activity.spikes, injected, activity.outputs


def recorded(network: Network) -> list[str]:
    """Populations whose spikes are compared."""
    return [p.name for p in network.populations if p.neuron.sends]


def compare(
    name: str,
    network: Network,
    expected: Spikes,
    found: Spikes,
    injected: Mapping[int, np.ndarray],
    *,
    ours: Literal["expected", "found"],
    note: str = "",
) -> Link:
    """A link between two runs in integers, which must be equal.

    ours: which of the two `network` itself computed; the other is what needs explaining.
    """
    wanted = [p.name for p in network.populations if p.neuron.on_chip and p.neuron.sends]
    missing = [key for key in wanted if key not in expected or key not in found]
    if missing:
        note = f"nothing recorded of {', '.join(missing)}, so this link proves nothing of them"
    compared = sum(found[key].size for key in found if key in expected)
    equal = sum(int((expected[k] == found[k]).sum()) for k in found if k in expected)
    first = first_divergence(network, expected, found)
    if first is not None:
        other = {**expected, **found} if ours == "expected" else {**found, **expected}
        cause, our_membrane, their_membrane = explain_integers(network, first, other, injected)
        known = (our_membrane, their_membrane)
        before, after = known if ours == "expected" else known[::-1]
        above = network.by_name[first.population].neuron.fires_above
        limit = None if above is None else float(above)
        first = replace(
            first, cause=cause, expected_membrane=before, found_membrane=after, threshold=limit
        )
    agreement = equal / compared if compared else 1.0
    exact = first is None and not missing
    return Link(name, exact, agreement, compared, first, note=note)


def _integers(program: Program) -> Link:
    findings = tuple(check_integers(program))
    network = program.network
    numbers = sum(p.connection.weight.size for p in network.projections) + len(network.populations)
    return Link(
        "float model -> program's integers (each number)",
        exact=not findings,
        agreement=1.0 if not findings else 0.0,
        compared=numbers,
        findings=findings,
    )


def _golden(program: Program) -> Link:
    golden, network = program.golden, program.network
    assert golden is not None
    samples = len(golden.x)
    expected = {
        name: unpack(packed, (samples, network.timesteps, *network.by_name[name].shape))
        for name, packed in golden.spikes.items()
    }
    names = list(expected)
    activity = run_network(network, golden.injected, record=names, samples=samples)
    found = {name: (activity.spikes[name] != 0).astype(np.uint8) for name in names}
    link = compare(
        "recorded answer -> simulator", network, expected, found, golden.injected, ours="found"
    )
    same = bool(np.array_equal(activity.outputs, golden.outputs))
    notes = [text for text in (link.note, _encoder_note(program)) if text]
    return replace(link, exact=bool(link.exact) and same, note="; ".join(notes))


def _encoder_note(program: Program) -> str:
    golden = program.golden
    assert golden is not None
    injected, _ = encode(program, golden.x)
    differ = sum(int((injected[i] != golden.injected[i]).sum()) for i in injected)
    if not differ:
        return ""
    total = sum(values.size for values in injected.values())
    return (
        f"this machine's floating point gives {differ:,} of {total:,} host values another integer"
        " than the one that compiled the program"
    )


def _reference(
    network: Network,
    injected: Mapping[int, np.ndarray],
    spikes: Spikes,
    outputs: np.ndarray,
    samples: int,
) -> Link:
    """As many samples as the slow reference can do in reasonable time, at least one."""
    each = sum(count for _, count in network.synapses()) * network.chip_steps
    count = int(np.clip(REFERENCE_WORK // max(each, 1), 1, samples))
    part = {index: values[:count] for index, values in injected.items()}
    reference = run_reference(network, part, record=recorded(network), samples=count)
    expected = {name: reference.spikes[name] for name in spikes}
    found = {name: values[:count] for name, values in spikes.items()}
    link = compare("reference step -> simulator", network, expected, found, part, ours="found")
    same = bool(np.array_equal(reference.outputs, outputs[:count]))
    few = "" if count == samples else f"{count} of {samples} samples (the reference is slow)"
    notes = [text for text in (link.note, few) if text]
    return replace(link, exact=bool(link.exact) and same, note="; ".join(notes))


def _float(program: Program, x: np.ndarray, spikes: Spikes) -> Link:
    network, model = program.network, program.model
    lifs = [p for p in network.populations if p.neuron.fires and p.origin]
    origins = {p.name: p.origin for p in lifs if model.by_name[p.origin].is_neuron}
    currents = [model.by_name[origin].inputs[0] for origin in origins.values()]
    wanted = dict.fromkeys([*program.encoder_outputs, *origins.values(), *currents])
    values = evaluate(model, x, wanted)
    expected = {
        name: network.kept_of(name, by_step(model.by_name[origin], values[origin], len(x)))
        for name, origin in origins.items()
    }
    found = {name: spikes[name] for name in expected}
    layers = {name: float((expected[name] == found[name]).mean()) for name in expected}
    total = sum(found[name].size for name in found)
    equal = sum(int((expected[name] == found[name]).sum()) for name in found)
    first = first_divergence(network, expected, found)
    if first is not None:
        injected, _ = injections_of(network, model, values, len(x))
        first = explain_float(program, first, values, spikes, injected)
    removed = sum(math.prod(entry.shape) for entry in network.reduced)
    removed -= sum(network.by_name[e.population].neurons for e in network.reduced
                   if e.population in network.by_name)  # fmt: skip
    note = f"{removed:,} neurons are not compared: --reduce removed them" if removed else ""
    return Link(
        "float model -> chip's spikes", None, equal / total if total else 1.0, total, first,
        layers=layers, note=note,
    )  # fmt: skip
