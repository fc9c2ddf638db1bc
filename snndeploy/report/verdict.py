"""The verdict and the plan as `inspect`, `fit`, `compile` and `deploy` print them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from snndeploy.errors import Violation, reasons_of
from snndeploy.report.lines import bullets, wrap

HOST_PARTS = (
    ("encoder", "in front of the first spikes"),
    ("moved", "in layers behind a neuron"),
    ("part", "in the encoder's part of layers on the chip"),
)


def verdict_text(target: str, violations: Sequence[Violation], waiting: Sequence[str] = ()) -> str:
    """Whether the network compiles for the target, and everything that stands against it.

    waiting: what only calibration data will tell.
    """
    reasons = reasons_of(violations)
    if not reasons:
        return "\n".join([f"{target}: compiles", *map(_bullet, waiting)])
    count = "" if len(reasons) == 1 else f", {len(reasons)} reasons"
    return f"{target}: does not compile{count}\n" + bullets(reasons)


def _bullet(line: str) -> str:
    return wrap(line, "  - ")


def plan_text(plan: Mapping[str, Any], *, compiles: bool = True) -> str:
    """What `compile` makes of the network, or would without what stands against it: a few lines."""
    lines = ["As compiled" if compiles else "As compiled if nothing stood against it"]
    if plan["shortcuts"] != "none":
        lines.append(wrap(f"membrane shortcuts: {plan['shortcuts']}, at {plan['decided_at']}"))
        lines += shortcut_lines(plan["prices"])
    reads = [layer["reads"] for layer in plan["layers"]]
    lines.append(
        wrap(
            f"layers on the chip: {reads.count('binary')} read binary spikes,"
            f" {reads.count('integer')} counts, {reads.count('graded')} graded values"
        )
    )
    lines += [_bullet(text) for text in _odd_layers(plan["layers"])]
    lines.append(wrap(host_text(plan["host"])))
    lines += [_bullet(text) for text in _host_values(plan["host_values"])]
    lines += [wrap(text) for text in _attention(plan["attention"])]
    lines += [_bullet(text) for text in plan["neurons"]]
    return "\n".join(lines)


def _odd_layers(layers: Sequence[Mapping[str, Any]]) -> list[str]:
    """The layers that read anything but binary spikes."""
    words = {"integer": "counts", "graded": "graded values"}
    return [
        f"{layer['layer']} reads {words[layer['reads']]} ({', '.join(layer['sources'])})"
        for layer in layers
        if layer["reads"] in words
    ]


def host_text(host: Sequence[Mapping[str, Any]]) -> str:
    """Multiply-accumulates of the host's layers, in all and by why they are there."""
    total = sum(layer["macs"] for layer in host)
    text = f"the host: {total:,} MAC a sample"
    sums = [(sum(h["macs"] for h in host if h["why"] == why), where) for why, where in HOST_PARTS]
    parts = [f"{macs:,} {where}" for macs, where in sums if macs]
    return text + (f", {', '.join(parts)}" if parts else "")


def _host_values(values: Sequence[Mapping[str, Any]]) -> list[str]:
    """What it sends besides spikes."""
    words = {
        "counts": "counts as graded payloads", "once": "values once a sample",
        "graded": "graded values at every step",
    }  # fmt: skip
    found: dict[str, list[str]] = {}
    for value in values:
        found.setdefault(value["values"], []).append(value["population"])
    return [f"it sends {words[k]} into {', '.join(v)}" for k, v in found.items() if k in words]


def _attention(attention: Sequence[Mapping[str, Any]]) -> list[str]:
    if not attention:
        return []
    units = {"chip": "the chip's MAC unit", "host": "the host, between steps"}
    unit = units.get(attention[0]["unit"], "nobody")
    total = sum(each["macs"] for each in attention)
    names = ", ".join(dict.fromkeys(each["layer"] for each in attention))
    return [f"attention: {total:,} MAC a sample by {unit}: {names}"]


def shortcut_lines(costs: Sequence[Mapping[str, Any]]) -> list[str]:
    """What every way to lower shortcuts costs, the cheapest first."""
    return [
        wrap(
            f"{cost['shortcuts']}: {cost['synapse_memory_bytes'] / 1024:,.0f} KiB of weights,"
            f" {cost['synaptic_operations'] / 1e6:,.1f} M synaptic operations,"
            f" {cost['host_io_bytes'] / 1024:,.0f} KiB of host input a sample",
            "  - ",
        )
        for cost in sorted(costs, key=_weight)
    ]


def _weight(cost: Mapping[str, Any]) -> float:
    """As the compiler compared them: by energy, or by work where synapses have no price."""
    energy = cost["energy_pj"]
    return float(cost["synaptic_operations"] if energy is None else energy)
