"""Fit: does a network fit a chip?  The verdict on it, from its structure, before it is trained.

The model is traced with random weights; what is mapped has its shapes and no weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from snndeploy.errors import Violation, refusal
from snndeploy.frontend.door import TO_FIT, OpenedNetwork, SpecOptions
from snndeploy.frontend.doors import open_spec
from snndeploy.mapping.advice import Suggestion
from snndeploy.network import Network
from snndeploy.passes.signals import infer_signals
from snndeploy.quantize.scales import Weights
from snndeploy.report.lines import bullets, wrap
from snndeploy.report.verdict import plan_text, verdict_text
from snndeploy.target import Target
from snndeploy.verdict import Plan, Shortcuts, Verdict, judge
from snndeploy.verdict.verdict import Mapped, map_structure, not_compiled


@dataclass(frozen=True)
class Fit:
    """The answer for one target.

    cores, chips: the fewest that hold the network; None where it does not fit.
    binding: the limiting resource in words, with both numbers; or all that stands against it.
    use: of each limited resource, the mean share of a core that is used, and the fullest core's.
    suggestions: where it is too large, the smallest changes with which it would fit.
    violations, plan, depends_on_calibration: of the verdict (`verdict.Verdict`).
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
    violations: tuple[Violation, ...] = ()
    plan: Plan | None = None
    depends_on_calibration: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        record = asdict(replace(self, plan=None))
        record["violations"] = [violation.as_json() for violation in self.violations]
        if self.plan is None:
            return record
        return record | {"plan": self.plan.as_json()}


def fit_spec(
    spec: str,
    targets: Sequence[str | Path | Target],
    *,
    shortcuts: Shortcuts = "auto",
    host_attention: bool = False,
    weights: Weights = "auto",
    **given: Any,
) -> tuple[Fit, ...]:
    """The answers for a SPEC, one a target; given: fields of `frontend.door.SpecOptions`.

    weights: 'double' maps both parts of each weight; 'auto' takes two only where they fit.

    Raises:
        DeployError: the model cannot be read, or does what no chip can.
    """
    chips = [target if isinstance(target, Target) else Target.load(target) for target in targets]
    opened = open_spec(spec, SpecOptions(**given), TO_FIT)
    if isinstance(opened, OpenedNetwork):
        return tuple(fit(opened.network, chip) for chip in chips)
    graph = infer_signals(opened.graph)
    known: dict[Any, Any] = {}

    def judged(chip: Target) -> Verdict:
        return judge(
            graph, chip, shortcuts=shortcuts, host_attention=host_attention, weights=weights,
            known=known,
        )  # fmt: skip

    return tuple(_noted(answered(judged(chip)), graph.notes) for chip in chips)


def _noted(found: Fit, notes: tuple[str, ...]) -> Fit:
    return replace(found, notes=(*notes, *found.notes))


def answered(verdict: Verdict) -> Fit:
    """A verdict as the answer for its target."""
    if not verdict.ways:
        return _fit(verdict.target, 0, "", Mapped(None, verdict.violations))
    way = verdict.assumed[0]
    neurons = way.structure.neurons if way.structure else 0
    mapping = replace(way.mapping or Mapped(None), violations=verdict.violations)
    return replace(
        _fit(verdict.target, neurons, way.network.shortcuts, mapping),
        plan=verdict.plan(),
        depends_on_calibration=verdict.open,
    )


def fit(network: Network, target: Target) -> Fit:
    """The answer for a network, with or without weights."""
    if target.not_compiled:
        return _fit(target, 0, "", Mapped(None, (not_compiled(target),)))
    return _fit(target, network.neurons, "", map_structure(network, target))


def _fit(target: Target, neurons: int, shortcuts: str, mapping: Mapped) -> Fit:
    layout = None if mapping.violations else mapping.layout
    use = layout.use if layout else {}
    return Fit(
        target=target.name,
        fits=layout is not None,
        neurons=neurons,
        shortcuts=shortcuts,
        cores=layout.cores if layout else None,
        chips=layout.chips if layout else None,
        chips_available=target.max_chips,
        binding=layout.binding if layout else str(refusal(mapping.violations)),
        use={
            name: (float((use[name] / limit).mean()), float((use[name] / limit).max()))
            for name, limit in (layout.limits.items() if layout else ())
        },
        suggestions=mapping.suggestions,
        notes=layout.notes if layout else (),
        violations=mapping.violations,
    )


def fit_text(found: Sequence[Fit]) -> str:
    """The answers as the terminal shows them."""
    notes = dict.fromkeys(note for one in found for note in one.notes)
    said = ["Notes\n" + bullets(notes) + "\n"] if notes else []
    return "\n".join([*(_text(one) for one in found), *said])


def _text(found: Fit) -> str:
    if not found.fits:
        return verdict_text(found.target, found.violations) + "\n"
    way = f", shortcuts {found.shortcuts}" if found.shortcuts not in ("", "none") else ""
    lines = [
        f"{found.target}: fits on {found.cores:,} core{'s' * (found.cores != 1)} of"
        f" {found.chips:,} chip{'s' * (found.chips != 1)} ({found.chips_available:,} available);"
        f" {found.neurons:,} neurons{way}",
        wrap(f"what binds: {found.binding}"),
    ]
    for name, (mean, most) in found.use.items():
        words = name.replace("_", " ")
        lines.append(f"  {words:<22} mean {mean:7.2%} of a core, fullest {most:7.2%}")
    lines += [wrap(text, "  - ") for text in found.depends_on_calibration]
    if found.plan is not None:
        lines.append(plan_text(found.plan.as_json()))
    return "\n".join([*lines, ""])
