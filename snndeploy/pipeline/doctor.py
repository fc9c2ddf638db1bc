"""Doctor: what a SPEC is, what was recognised in it, and each chip's answer, on one page.

Nothing is found here that another command would not find: the walk's graph, the audit's flags, the
fit's verdicts.  What is added is the smallest change for each "no", tried before it is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from snndeploy.errors import DeployError, ModelError
from snndeploy.frontend.door import (
    TO_COST,
    ModelFacts,
    Need,
    OpenedModel,
    OpenedNetwork,
    SpecOptions,
    Step,
    silent,
)
from snndeploy.frontend.doors import door_of, open_spec
from snndeploy.graph import Graph, Node
from snndeploy.neurons import equation_of
from snndeploy.ops.answer import head_of
from snndeploy.passes.audit import Flags
from snndeploy.passes.partition import partition
from snndeploy.passes.signals import infer_signals
from snndeploy.pipeline.fit import Fit, answered, fit
from snndeploy.shelf import target_names
from snndeploy.target import Target
from snndeploy.verdict import flags_of, judge

WITHOUT_PROOF = Need(spikes=False, proof=False)


@dataclass(frozen=True)
class Neurons:
    """Neurons of one equation; layers: their modules, in the network's order."""

    equation: str
    layers: tuple[str, ...]
    neurons: int


@dataclass(frozen=True)
class Change:
    """The smallest change found for a target that says no.

    said: what to do.  tried: True where the network was judged with it, and nothing was left.
    """

    said: str
    tried: bool


@dataclass(frozen=True)
class Diagnosis:
    """One page on a SPEC.

    kind: of its door.  unproved: why the graph could not be shown to compute what the model does;
    '' where it was.  answers: what its heads answer, in words.  flags: before a chip is chosen,
    None for a network of integers.  fits: one a target, in order.  changes: by target that says no.
    not_compiled: chips that no program is compiled for, with the reason.
    """

    kind: str
    model: ModelFacts
    unproved: str
    neurons: tuple[Neurons, ...]
    answers: tuple[str, ...]
    notes: tuple[str, ...]
    flags: Flags | None
    fits: tuple[Fit, ...]
    changes: dict[str, Change]
    not_compiled: dict[str, str]

    def as_json(self) -> dict[str, Any]:
        record = asdict(replace(self, fits=()))
        return {"schema": "snndeploy.doctor/1", **record, "fits": [f.as_json() for f in self.fits]}


@dataclass(frozen=True)
class Refused:
    """As far as it came with a SPEC that is no graph.

    known: what was found out before.  refused: why it went no further, and what to do.
    """

    kind: str
    spec: str
    known: tuple[str, ...]
    refused: str

    def as_json(self) -> dict[str, Any]:
        return {"schema": "snndeploy.doctor/1", **asdict(self)}


def examine(
    spec: str, targets: Sequence[str | Target] = (), *, step: Step = silent, **given: Any
) -> Diagnosis | Refused:
    """One page on a SPEC; given: fields of `frontend.door.SpecOptions`.

    targets: those that are asked; none: every shipped one.

    Raises:
        DeployError: one line, where the SPEC cannot be read as a network at all.
    """
    named = targets or target_names()
    chips = [target if isinstance(target, Target) else Target.load(target) for target in named]
    options = SpecOptions(**given)
    kind = door_of(spec).kind
    try:
        opened, unproved = _opened(spec, options, step)
    except DeployError as error:
        if not error.known:
            raise
        return Refused(kind, spec, error.known, str(error))
    asked = [chip for chip in chips if not chip.not_compiled]
    others = {chip.name: chip.not_compiled for chip in chips if chip.not_compiled}
    if isinstance(opened, OpenedNetwork):
        fits = tuple(fit(opened.network, chip) for chip in asked)
        model, notes = opened.facts, opened.network.notes
        return Diagnosis(kind, model, unproved, (), (), notes, None, fits, _suggested(fits), others)
    graph = infer_signals(opened.graph)
    parted = partition(graph)
    fits, changes = _verdicts(graph, asked, step)
    return Diagnosis(
        kind=kind,
        model=opened.facts,
        unproved=unproved,
        neurons=recognised(graph),
        answers=tuple(_answer(graph, name) for name in graph.outputs),
        notes=graph.notes,
        flags=flags_of(parted) if graph.neurons() else None,
        fits=fits,
        changes=changes,
        not_compiled=others,
    )


def _opened(spec: str, options: SpecOptions, step: Step) -> tuple[OpenedModel | OpenedNetwork, str]:
    """The network, and why its graph could not be proved; without weights, with random ones."""
    try:
        return open_spec(spec, options, TO_COST, step), ""
    except ModelError as error:
        try:
            return open_spec(spec, options, WITHOUT_PROOF, step), str(error)
        except ModelError:
            raise error from None


def recognised(graph: Graph) -> tuple[Neurons, ...]:
    """The neurons of a graph by their equation, in the order in which each is first met."""
    found: dict[str, list[Node]] = {}
    for node in graph.neurons():
        found.setdefault(_equation(node), []).append(node)
    return tuple(
        Neurons(
            said,
            tuple(dict.fromkeys(node.label for node in nodes)),
            sum(_size(node) for node in nodes),
        )
        for said, nodes in found.items()
    )


def _equation(node: Node) -> str:
    more = [", recurrent"] if node.feedback is not None else []
    more += [", attention on the membrane"] if node.body is not None else []
    return str(equation_of(node.attributes)) + "".join(more)


def _size(node: Node) -> int:
    neurons = 1
    for size in node.step_shape:
        neurons *= size
    return neurons


def _answer(graph: Graph, name: str) -> str:
    head = head_of(graph, name)
    values = " x ".join(map(str, head.shape)) + " values" if head.shape else "one value"
    return f"{name}: " + ("the class itself" if head.meaning.is_class else values)


def _verdicts(
    graph: Graph, chips: Sequence[Target], step: Step
) -> tuple[tuple[Fit, ...], dict[str, Change]]:
    known: dict[Any, Any] = {}
    fits: list[Fit] = []
    changes: dict[str, Change] = {}
    for chip in chips:
        step(f"ask {chip.name}")
        fits.append(answered(judge(graph, chip, known=known)))
        if not fits[-1].fits:
            changes[chip.name] = _change(graph, chip, fits[-1], known)
    return tuple(fits), changes


def _change(graph: Graph, chip: Target, found: Fit, known: dict[Any, Any]) -> Change:
    """--host-attention where nothing else is missing, else what the refusals themselves advise."""
    attention = any("attention" in violation.reason for violation in found.violations)
    if attention and not judge(graph, chip, host_attention=True, known=known).violations:
        return Change("--host-attention: the host computes the attention between steps", True)
    return _advised(found)


def _suggested(fits: Sequence[Fit]) -> dict[str, Change]:
    return {found.target: _advised(found) for found in fits if not found.fits}


def _advised(found: Fit) -> Change:
    """What the refusals advise, or all that they say where none of it is set apart as advice."""
    advice = dict.fromkeys(v.advice or v.text for v in found.violations)
    return Change("; ".join(advice), False)
