"""The papers' energy as text of at most 80 columns: one network, or two side by side."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from snndeploy.costs.comparison import UPPER_BOUND, Comparison, Costed, price
from snndeploy.costs.energy import PJ_TO_MJ

WIDTH = 80
NAME = 22  # columns of a layer's name
LABEL = 34  # columns of a comparison's first column
LOCATIONS = {
    "spikes": "Conv-PRE",
    "current": "Conv-POST",
    "membrane": "Activate-PRE",
    "stream": "stream",
}


@dataclass(frozen=True)
class Unit:
    """One unit for a whole table, so that its figures can be compared."""

    name: str
    per_mj: float
    digits: int

    def __call__(self, energy_mj: float) -> str:
        return f"{energy_mj * self.per_mj:.{self.digits}f}"


MILLI, MICRO = Unit("mJ", 1.0, 6), Unit("uJ", 1000.0, 4)
SMALL_MJ = 0.1


def _unit(energy_mj: float) -> Unit:
    return MICRO if energy_mj < SMALL_MJ else MILLI


def energy_text(costed: Costed, host: Sequence[Mapping[str, Any]] = ()) -> str:
    """The table of `inspect --energy`; host: what the host computes behind the first neuron."""
    unit = _unit(costed.energy.total_mj)
    parts = [_head(costed), _layers(costed, unit), _attention(costed, unit), _sums(costed, unit)]
    parts += [_notes(costed, unit), _host(host, costed, unit)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _host(host: Sequence[Mapping[str, Any]], costed: Costed, unit: Unit) -> str:
    """Layers behind a neuron that the host computes, which the formula counts otherwise or not."""
    if not host:
        return ""
    title = ("on the host, behind a neuron", "MAC a sample", "")
    why = {"moved": "in the table", "part": "beside it"}
    rows = [
        (_short(layer["layer"]), f"{layer['macs']:,}", why.get(layer["why"], "")) for layer in host
    ]
    beside = sum(layer["macs"] for layer in host if layer["why"] == "part")
    total = f"{sum(layer['macs'] for layer in host):,}"
    energy = unit(costed.convention.mac_pj * beside * PJ_TO_MJ)
    note = _wrap(
        f"beside it: {beside:,} MAC of the encoder's part of layers on the chip, {energy}"
        f" {unit.name} that the papers' formula does not count", "  - ",
    )  # fmt: skip
    table = _table(title, [*rows, ("all", total, "")])
    return f"{table}\n{note}" if beside else table


def _head(costed: Costed) -> str:
    network = costed.network
    first = f"{network.name}: {network.parameters:,} parameters, T={network.timesteps}"
    if network.spiking:
        first += (
            f", {network.neuron_count:,} neurons ({network.convolution_neurons:,} behind"
            " convolutions)"
        )
    lines = [_wrap(first), _wrap(f"rates: {_rates(costed)}", "  ")]
    return "\n".join([*lines, _wrap(f"convention: {costed.convention}", "  ")])


def _rates(costed: Costed) -> str:
    if not costed.network.spiking:
        return "none, it has no spikes"
    if costed.activity is None:
        return f"none were given; {UPPER_BOUND}"
    input_rate = costed.activity.input_rate
    if input_rate is None or not costed.network.input_events:
        return costed.activity.source
    return f"{costed.activity.source}; input {_significant(input_rate)}"


def _layers(costed: Costed, unit: Unit) -> str:
    rows = [
        (
            _short(line.name),
            f"{line.flops:,}",
            "" if line.rate is None or costed.activity is None else f"{line.rate:.4f}",
            f"{line.operations:,.0f}",
            line.work.upper(),
            unit(line.energy_mj),
        )
        for line in costed.lines
    ]
    title = f"{unit.name}, at most" if _is_bound(costed) else unit.name
    head = ("layer", "FL", "rate", "operations", "kind", title)
    return _table(head, rows)


def _attention(costed: Costed, unit: Unit) -> str:
    if not costed.attention:
        return ""
    rows = []
    for cost in costed.attention:
        mac1, mac2 = cost.macs(costed.convention)
        energy = costed.convention.mac_pj * (mac1 + mac2) * PJ_TO_MJ
        where = LOCATIONS[cost.location]
        rows.append((_short(cost.layer), where, f"{mac1:,}", f"{mac2:,}", unit(energy)))
    return _table(("attention", "location", "Delta_MAC1", "Delta_MAC2", unit.name), rows)


def _sums(costed: Costed, unit: Unit) -> str:
    energy, bound = costed.energy, _is_bound(costed)
    rows = [
        ("multiply-accumulates", _count(costed.macs), unit(energy.mac_mj)),
        ("accumulates", _count(costed.acs), unit(energy.ac_mj)),
        ("total, at most" if bound else "total", "", unit(energy.total_mj)),
    ]
    if energy.encoder_attention_mj:
        rows.insert(1, ("  of these encoder attention", "", unit(energy.encoder_attention_mj)))
    if costed.ann_mj is not None:
        rows.append(("ANN counterpart (all MAC)", "", unit(costed.ann_mj)))
    lines = [f"  {a:<32}{b:>22}{f'{c} {unit.name}':>20}" for a, b, c in rows]
    if costed.ann_ratio is not None:
        label = "  times the total, at least" if bound else "  times the total"
        lines.append(f"  {label:<54}{_ratio(costed.ann_ratio):>20}")
    if costed.nasar is not None and costed.spikes is not None:
        lines.append(
            f"  {'spikes a sample, NASAR':<32}{_count(costed.spikes):>22}{costed.nasar:>20.6f}"
        )
    return "\n".join(lines)


def _is_bound(costed: Costed) -> bool:
    return costed.network.spiking and costed.activity is None


def _notes(costed: Costed, unit: Unit) -> str:
    notes = []
    counted = {line.name for line in costed.lines}
    left_out = [layer.name for layer in costed.network.layers if layer.name not in counted]
    if left_out:
        notes.append(f"left out by the convention: {', '.join(dict.fromkeys(left_out))}")
    if _counts_a_constant_input_often(costed):
        once = replace(costed.convention, first_layer="once")
        total = unit(price(costed.network, costed.activity, once).energy.total_mj)
        notes.append(f"the input is the same at every step: {total} {unit.name} in all with"
                     " --convention first-layer=once")  # fmt: skip
    notes += _behind_pools(costed)
    if _is_bound(costed):
        notes.append("give --rate, --rates or --data for the energy itself")
    return "\n".join(_wrap(note, "  - ") for note in notes)


def _behind_pools(costed: Costed) -> list[str]:
    """What the rate of a layer behind a pool is, and what it leaves out."""
    names = costed.network.behind_pools
    if not names or not costed.network.spiking or costed.convention.operations == "exact":
        return []
    said = (
        f"behind a pool: {', '.join(names)}; the rate is that of the neurons before it, as the"
        " papers count"
    )
    ratios = costed.arriving_behind_pools
    if ratios is None:
        return [f"{said}, and more events than FL x rate may arrive (operations=exact)"]
    counted = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    return [f"{said}; {counted} times FL x rate arrives (operations=exact)"]


def _counts_a_constant_input_often(costed: Costed) -> bool:
    read = costed.convention
    first = [layer for layer in costed.network.layers if layer.first]
    constant = bool(first) and all(layer.repeats == 1 for layer in first)
    charged = read.first_layer == "every_step" and read.encoder == "included"
    return constant and charged and costed.network.spiking and costed.network.timesteps > 1


def comparison_text(comparison: Comparison) -> str:
    """The table of `compare`."""
    a, b = comparison.a, comparison.b
    unit = _unit(max(a.energy.total_mj, b.energy.total_mj))
    parts = [_titles(a, b), _sides(a, b, unit), _change(comparison, unit)]
    bound = [c.network.name for c in (a, b) if _is_bound(c)]
    if bound:
        names = " and ".join(dict.fromkeys(bound))
        text = f"{names}: {UPPER_BOUND}; give --rate, --rates or --data for the energy itself"
        parts.append(_wrap(text, "  - "))
    return "\n\n".join(parts) + "\n"


def _titles(a: Costed, b: Costed) -> str:
    lines = []
    same = a.convention == b.convention
    for letter, costed in (("A", a), ("B", b)):
        lines.append(_wrap(f"{letter}  {costed.network.name}; rates: {_rates(costed)}"))
        if not same:
            lines.append(_wrap(f"convention: {costed.convention}", "   "))
    if same:
        lines.append(_wrap(f"convention: {a.convention}"))
    return "\n".join(lines)


Figure = tuple[str, Callable[[Costed], float | None], Callable[[float], str]]


def _figures(unit: Unit) -> list[Figure]:
    return [
        ("parameters", lambda c: c.network.parameters, _count),
        ("time steps T", lambda c: c.network.timesteps, _count),
        ("neurons", lambda c: c.network.neuron_count or None, _count),
        ("  behind convolutions", lambda c: c.network.convolution_neurons or None, _count),
        ("accuracy (float model)", _accuracy, _percent),
        ("NASAR", lambda c: c.nasar, _significant),
        ("  behind convolutions", lambda c: c.convolution_nasar, _significant),
        ("spikes a sample", lambda c: c.spikes, _count),
        ("MAC a sample", lambda c: c.macs, _count),
        ("  Delta_MAC1 of attention", lambda c: c.delta_mac1 or None, _count),
        ("  Delta_MAC2 of attention", lambda c: c.delta_mac2 or None, _count),
        ("AC a sample", lambda c: c.acs, _count),
        (f"MAC energy, {unit.name}", lambda c: c.energy.mac_mj, unit),
        ("  of it encoder attention", lambda c: c.energy.encoder_attention_mj or None, unit),
        (f"AC energy, {unit.name}", lambda c: c.energy.ac_mj, unit),
        (f"energy, {unit.name}", lambda c: c.energy.total_mj, unit),
        (f"ANN counterpart, {unit.name}", lambda c: c.ann_mj, unit),
        ("  times the energy", lambda c: c.ann_ratio, _ratio),
    ]


def _accuracy(costed: Costed) -> float | None:
    return None if costed.activity is None else costed.activity.accuracy


def _sides(a: Costed, b: Costed, unit: Unit) -> str:
    """Figures that neither has are left out."""
    rows = [_pair("", "A", "B")]
    for label, figure, words in _figures(unit):
        values = [figure(costed) for costed in (a, b)]
        if any(value is not None for value in values):
            rows.append(_pair(label, *("-" if v is None else words(v) for v in values)))
    return "\n".join(rows)


def _change(comparison: Comparison, unit: Unit) -> str:
    saved = comparison.saving
    rows = [
        ("Delta_MAC (B - A)", _count(saved.delta_mac)),
        ("Delta_AC (A - B)", _count(saved.delta_ac)),
        (f"Delta_E (B - A), {unit.name}", unit(saved.delta_mj)),
        ("r_EE = E_A / E_B", "-" if saved.r_ee is None else _ratio(saved.r_ee)),
        ("r_REC = Delta_E / E_A", "-" if saved.r_rec is None else f"{100 * saved.r_rec:+.2f} %"),
    ]
    return "From A to B\n" + "\n".join(f"  {label:<{LABEL}}{value:>20}" for label, value in rows)


def _pair(label: str, a: str, b: str) -> str:
    return f"  {label:<{LABEL}}{a:>20}{b:>20}".rstrip()


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The first column to the left, the others to the right."""
    listed = [tuple(head), *rows]
    widths = [max(len(row[i]) for row in listed) for i in range(len(head))]
    lines = []
    for first, *rest in listed:
        cells = "".join(f"  {c:>{w}}" for c, w in zip(rest, widths[1:], strict=True))
        lines.append(f"  {first:<{widths[0]}}{cells}".rstrip())
    return "\n".join(lines)


def _short(name: str) -> str:
    return name if len(name) <= NAME else f"…{name[1 - NAME :]}"


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _ratio(value: float) -> str:
    return f"{value:.4f}"


def _significant(value: float) -> str:
    return f"{value:.4g}"


def _percent(value: float) -> str:
    return f"{100 * value:.2f} %"


def _wrap(text: str, first: str = "") -> str:
    return textwrap.fill(
        text, WIDTH, initial_indent=first, subsequent_indent="    ", break_on_hyphens=False
    )
