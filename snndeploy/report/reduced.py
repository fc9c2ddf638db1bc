"""What a reduction saved and changed, as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from snndeploy.report.lines import bullets, wrap
from snndeploy.report.terminal import number, percent, si, table

ROWS = (
    ("neurons", "neurons", ""),
    ("synapses", "synapses", ""),
    ("synapse memory", "synapse_memory_bytes", "B"),
    ("cores", "cores", ""),
    ("chips", "chips", ""),
    ("chip steps a sample", "chip_steps", ""),
    ("messages a sample", "messages", ""),
    ("synaptic operations a sample", "synaptic_operations", ""),
    ("latency a sample", "latency_seconds", "s"),
    ("energy a sample", "energy_joules", "J"),
)


def reduction_text(facts: Mapping[str, Any]) -> str:
    """What went, the table of before and after, and how that was checked."""
    rows = [_row(title, key, unit, facts) for title, key, unit in ROWS]
    held = facts["held_back"]
    lines = [
        wrap(
            f"Reduction (--reduce {facts['mode']}); means over {held['samples']} samples of"
            f" {held['data']}",
            "",
        ),
        bullets(_removed(facts["removed"])),
        "",
        table(("", "before", "after", "saved"), rows),
        "",
        *[wrap(text) for text in (*_checked(facts), *_constant(facts["constant_over_time"]))],
        *_changes(facts),
        *_neurons_left(facts["neurons_left"]),
    ]
    if facts["left"]:
        lines += ["  left in place:", bullets(_left(facts["left"]))]
    return "\n".join(lines)


def _removed(removed: list[dict[str, Any]]) -> list[str]:
    if not removed:
        return ["no channel to remove"]
    return [
        f"{entry['population']}: {_channels(entry['channels'])} ({entry['neurons']:,} neurons)"
        f" {_verb(entry['reason'], entry['channels'])}"
        f"{'' if entry['proved'] else ' on the calibration data'}"
        for entry in removed
    ]


def _channels(count: int) -> str:
    return f"{count:,} channel{'' if count == 1 else 's'}"


def _verb(reason: str, count: int) -> str:
    """ "never fires" of one channel, "never fire" of several."""
    if count == 1:
        return reason
    plural = {"fires": "fire", "is": "are", "copies its": "copy their"}
    for one, many in plural.items():
        reason = reason.replace(one, many)
    return reason


def _changes(facts: Mapping[str, Any]) -> list[str]:
    """Populations whose spikes changed, and channels that did not do what they went for."""
    texts = [
        f"{entry['population']}: {entry['changed']:,} of {entry['compared']:,} spikes {what}"
        for key, what in (("spikes", "changed"), ("removed_spikes", "of what went are not as"
                                                  " on the calibration data"))
        for entry in facts[key]
        if entry["changed"]
    ]  # fmt: skip
    return [bullets(texts)] if texts else []


def _left(left: list[dict[str, Any]]) -> list[str]:
    return [
        f"{entry['population']}: {_channels(entry['channels'])}, since {entry['reason']}"
        for entry in left
    ]


def _row(title: str, key: str, unit: str, facts: Mapping[str, Any]) -> tuple[str, ...]:
    before, after = facts["before"][key], facts["after"][key]
    if before is None or after is None:
        return (title, "-", "-", "-")
    saved = f"{100 * (before - after) / before:.1f} %" if before else "-"
    return (title, _value(before, unit), _value(after, unit), saved)


def _value(value: float, unit: str) -> str:
    if unit == "B":
        return f"{value / 1024:,.1f} KiB"
    if unit:
        return si(value, unit)
    return f"{value:,}" if isinstance(value, int) else number(value)


def _neurons_left(left: list[dict[str, Any]]) -> list[str]:
    never, always = (sum(entry[key] for entry in left) for key in ("never", "always"))
    if not never + always:
        return []
    text = (
        f"on the calibration data {never:,} of the neurons that stay never fired, {always:,} fired"
        " at every step: a kernel is shared by its whole plane, which goes or stays"
    )
    return [wrap(text)]


def _checked(facts: Mapping[str, Any]) -> list[str]:
    if not facts["removed"]:
        return []
    held, samples = facts["held_back"]["data"], facts["held_back"]["samples"]
    changed, compared = (sum(e[key] for e in facts["spikes"]) for key in ("changed", "compared"))
    proof = "by proof, and " if facts["proved"] else ""
    lines = [
        f"{proof}on {samples} samples of {held}: {changed:,} of {compared:,} spikes (neuron and"
        f" step) of what stayed changed, {facts['predictions_unchanged']} of {samples} predictions"
        " unchanged"
    ]
    if "accuracy" in facts:
        accuracy = facts["accuracy"]
        lines[0] += f", accuracy {percent(accuracy['before'])} -> {percent(accuracy['after'])}"
    absent = facts["energy_absent"]
    if absent:
        lines.append(f"energy does not count {'; '.join(absent)}")
    return lines


def _constant(constant: Mapping[str, Any]) -> list[str]:
    lines = []
    if constant["loaded_once"]:
        names = ", ".join(constant["loaded_once"])
        lines.append(f"constant over T, so computed and loaded once a sample: input of {names}")
    if constant["sent_every_step"]:
        names = ", ".join(constant["sent_every_step"])
        lines.append(f"not constant over T, so sent at every step: input of {names}")
    return lines
