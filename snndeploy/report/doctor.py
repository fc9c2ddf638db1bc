"""The page of `snndeploy doctor`: 80 columns, what it is, what was recognised, who takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from snndeploy.report.lines import bullets, wrap
from snndeploy.report.terminal import flag_lines
from snndeploy.report.verdict import host_text

MOST_LAYERS = 4  # that are named one by one where neurons share an equation


def doctor_text(found: Mapping[str, Any]) -> str:
    """found: the JSON of a `pipeline.doctor.Diagnosis`, or of a `Refused`."""
    if "refused" in found:
        return _as_far_as_it_came(found)
    parts = [_model(found), _neurons(found["neurons"]), _proof(found)]
    if found["flags"]:
        parts.append(flag_lines(found["flags"]))
    parts += [_targets(found), _host(found["fits"])]
    return "\n\n".join(part for part in parts if part) + "\n"


def _as_far_as_it_came(found: Mapping[str, Any]) -> str:
    head = f"{found['spec']}\n" + bullets([found["kind"], *found["known"]])
    return f"{head}\n\nIt did not become a graph\n{bullets([found['refused']])}\n"


def _model(found: Mapping[str, Any]) -> str:
    model = found["model"]
    lines = [
        f"{found['kind']}; {model['parameters']:,} parameters, weights {model['weights']}",
        f"{model['timesteps']} time step{'s' * (model['timesteps'] != 1)}, one sample is"
        f" {' x '.join(map(str, model['input_shape']))} ({model['input_signal']} values)",
        *(f"it answers {answer}" for answer in found["answers"]),
    ]
    return model["name"] + "\n" + bullets(lines)


def _neurons(neurons: Sequence[Mapping[str, Any]]) -> str:
    if not neurons:
        return ""
    lines = [
        f"{each['neurons']:,} neurons, {each['equation']}: {_few(each['layers'])}"
        for each in neurons
    ]
    return "What was recognised\n" + bullets(lines)


def _few(layers: Sequence[str]) -> str:
    if len(layers) <= MOST_LAYERS:
        return ", ".join(layers)
    return f"{', '.join(layers[: MOST_LAYERS - 1])} and {len(layers) - MOST_LAYERS + 1} more"


def _proof(found: Mapping[str, Any]) -> str:
    if found["unproved"]:
        lines = [f"NOT SHOWN to compute what the model does: {found['unproved']}"]
    elif found["flags"]:
        silent = any(note.startswith("no input of the proof") for note in found["notes"])
        fired = "inputs that make the neurons fire" if not silent else "the inputs of the proof"
        lines = [f"the graph and the model gave the same on {fired}"]
    else:
        lines = []
    lines += found["notes"]
    return "Is it the same network?\n" + bullets(lines) if lines else ""


def _targets(found: Mapping[str, Any]) -> str:
    """Yes with cores, or no with all reasons; targets that say the same stand together."""
    lines = ["Where does it run?"]
    answers = [(_said(fit, found["changes"]), fit["target"]) for fit in found["fits"]]
    answers.sort(key=lambda answer: (not answer[0].startswith("yes"), answer[0]))
    for said, group in groupby(answers, key=lambda answer: answer[0]):
        names = ", ".join(name for _, name in group)
        head, *rest = said.split("\n")
        lines.append(wrap(f"{names}: {head}", "  "))
        lines += [wrap(line, "    - ") for line in rest]
    names = ", ".join(found["not_compiled"])
    if names:
        lines.append(
            wrap(f"{names}: nothing is compiled for them (snndeploy targets list says why)", "  ")
        )
    return "\n".join(lines)


def _said(fit: Mapping[str, Any], changes: Mapping[str, Any]) -> str:
    if fit["fits"]:
        many = "" if fit["chips"] == 1 else f" of {fit['chips']:,} chips"
        waiting = "".join(f"\n{text}" for text in fit["depends_on_calibration"])
        return f"yes, on {fit['cores']:,} core{'s' * (fit['cores'] != 1)}{many}{waiting}"
    change = changes[fit["target"]]
    sure = "smallest change, tried" if change["tried"] else "what would help"
    return "\n".join(["no", *_reasons(fit["violations"]), f"{sure}: {change['said']}"])


def _reasons(violations: Sequence[Mapping[str, str]]) -> list[str]:
    """Without the advice, which the page gives once; layers with one reason stand together."""
    found: dict[str, list[str]] = {}
    for violation in violations:
        size = f" ({violation['size']})" if violation["size"] else ""
        found.setdefault(violation["reason"] + size, []).append(violation["layer"])
    lines = []
    for reason, layers in found.items():
        named = _few([layer for layer in dict.fromkeys(layers) if layer])
        lines.append(f"{named}: {reason}" if named else reason)
    return lines


def _host(fits: Sequence[Mapping[str, Any]]) -> str:
    """What stays on the host, of the first target that takes the network."""
    taken = next((fit for fit in fits if fit["fits"] and fit.get("plan")), None)
    return wrap(f"{host_text(taken['plan']['host'])} ({taken['target']})", "") if taken else ""
