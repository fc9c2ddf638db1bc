"""The tables of docs/silicon.md, from what `silicon.py` found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from silicon_plots import draw
from silicon_shown import BY_CORE, worst_core

BEGIN, END = "<!-- by benchmarks/silicon.py --page -->", "<!-- end -->"
SERIES = {
    "analytic": "`analytic`", "cycle": "`cycle`",
    "analytic_by_row": "`analytic`, conv4's cores by row",
    "cycle_by_row": "`cycle`, conv4's cores by row", "sana_fe": "SANA-FE",
}  # fmt: skip
CHIPS = {
    "pilotnet_lif_loihi2": "PilotNet LIF, Loihi 2",
    "dvs_gesture_loihi1": "DVS gesture, Loihi 1",
    "nxtf_mnist_loihi1": "NxTF MNIST, Loihi 1",
}
ENERGY = {
    "dynamic_uj_per_step": "dynamic energy a step, µJ",
    "total_uj_per_step": "total energy a step, µJ",
    "static_power_w": "static power, W",
}


def update(found: dict[str, Any], page: Path) -> None:
    """Replace the page's tables, and the pictures beside it.

    Raises:
        SystemExit: not all runs were made, or the page has no place for the tables.
    """
    if missing := [name for name in CHIPS if name not in found]:
        raise SystemExit(f"the page needs all runs; {', '.join(missing)} was left out")
    text = page.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        raise SystemExit(f"{page} has no lines {BEGIN!r} and {END!r}")
    head, tail = text.partition(BEGIN)[0], text.partition(END)[2]
    made = "\n".join(_lines(found))
    page.write_text(f"{head}{BEGIN}\n\n{made}\n\n{END}{tail}", encoding="utf-8")
    draw(found, page.parent)


def _lines(found: dict[str, Any]) -> Iterator[str]:
    yield from _times(found)
    yield ""
    yield from _of_pilotnet(found["pilotnet_lif_loihi2"])
    yield ""
    yield from _own_maps(found)


def _times(found: dict[str, Any]) -> Iterator[str]:
    yield "| time of a step | measured, µs | predicted | µs | error of the mean | mean error | r |"
    yield "|---|---|---|---|---|---|---|"
    pilotnet = found["pilotnet_lif_loihi2"]
    truth = pilotnet["measured"]["mean_step_us"]
    for key, name in (("mean_step_us", "`analytic`"), ("mean_step_us_cycle", "`cycle`")):
        yield _row("PilotNet LIF, Loihi 2, 10,000 steps", truth, name, pilotnet[key])
    for run in ("pilotnet_lif_loihi2", "dvs_gesture_loihi1"):
        errors = found[run]["errors"]
        for key, name in SERIES.items():
            if key in errors:
                yield _row(
                    f"{CHIPS[run]}, steps {errors['steps']}", errors["measured_mean_us"], name,
                    errors[key]["mean_us"], f"{errors[key]['mape']:.1%}", f"{errors[key]['r']:.3f}",
                )  # fmt: skip
    nxtf = found["nxtf_mnist_loihi1"]
    truth = nxtf["measured"]["mean_step_us"]
    for key, name in (("mean_step_us", "`analytic`"), ("mean_step_us_cycle", "`cycle`")):
        yield _row(CHIPS["nxtf_mnist_loihi1"], truth, name, nxtf[key])


def _row(
    what: str, truth: float, model: str, value: float, mape: str = "", correlation: str = ""
) -> str:
    error = value / truth - 1
    return (
        f"| {what} | {truth:.2f} | {model} | {value:.2f} | {error:+.1%} | {mape} | {correlation} |"
    )


def _of_pilotnet(found: dict[str, Any]) -> Iterator[str]:
    energy = found["energy"]
    yield "| PilotNet LIF on Intel's cores | measured | predicted | error |"
    yield "|---|---|---|---|"
    for key, name in ENERGY.items():
        truth = energy["measured"][key]
        error = energy["errors"][key]
        yield f"| {name} | {truth:.3f} | {energy[key]:.3f} | {error:+.1%} |"
    for key in BY_CORE:
        worst = worst_core(found["cores"], key)
        if worst is not None:
            name = key.replace("_", " ")
            known = sum(key in core["measured"] for core in found["cores"])
            most = f"at most {worst[0]:.2%} (core {worst[1]})"
            yield f"| {name}, by core | {known} cores | | {most} |"
    exact = sum(
        layer["synmem_words"] == layer["measured"]["synmem_words"] for layer in found["layers"]
    )
    count = len(found["layers"])
    yield f"| words of weights a core, by layer | {count} layers | | {exact} exact |"


def _own_maps(found: dict[str, Any]) -> Iterator[str]:
    yield "| our own mapping | cores: measured map, ours | µs a step: measured map, ours | times |"
    yield "|---|---|---|---|"
    for run, name in CHIPS.items():
        given = found[run]["given_map"]["cores"]
        for own in found[run].get("own_maps", ()):
            room = f", at most {given} cores" if own["no_more_cores"] else ""
            mean = own["mean_step_us"] / own["times_given_map"]
            yield (
                f"| {name}: {own['objective']}{room} | {given}, {own['cores']} |"
                f" {mean:.1f}, {own['mean_step_us']:.1f} | {own['times_given_map']:.2f} |"
            )
