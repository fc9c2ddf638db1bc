"""simulate: a program on the emulated chip, over data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from snndeploy.commands.console import (
    FILE,
    OUTPUT,
    STANDARD_OUTPUT,
    Command,
    Progress,
    check_json,
    json_option,
    say,
    show,
)
from snndeploy.commands.programs import load_program
from snndeploy.errors import ProgramError
from snndeploy.files.writing import check_folder, replacing_folder, write_bytes, write_json


@click.command(cls=Command)
@click.argument("program_file", type=FILE, metavar="NET.snnp")
@click.option(
    "--data", type=FILE, required=True, metavar="DATA.npz", help="x, optional labels y and scale."
)
@click.option("--samples", type=click.IntRange(1), help="The first N samples only.")
@click.option(
    "--reference/--no-reference",
    default=True,
    show_default=True,
    help="Run the float model beside the chip and compare.",
)
@click.option(
    "--timing",
    type=click.Choice(["analytic", "cycle"]),
    default="analytic",
    show_default=True,
    help="cycle: move every message of the first samples through routers and buffers.",
)
@click.option(
    "--cycle-samples",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Samples that --timing cycle simulates; the others are scaled.",
)
@click.option(
    "-o", "--output", type=OUTPUT, metavar="FOLDER", help="Write report.json and report.html there."
)
@json_option("report.json")
def simulate(
    program_file: Path,
    data: Path,
    samples: int | None,
    reference: bool,
    timing: str,
    cycle_samples: int,
    output: Path | None,
    json_file: Path | None,
) -> None:
    """Run a program on the emulated chip over real data, and report."""
    if output:
        check_folder(output)
    check_json(json_file)
    from snndeploy.data import load_data

    made = load_program(program_file)
    found = load_data(data, made.facts.binning, samples)
    if made.network.readout is None:
        raise ProgramError(f"{program_file} has no readout, so a run would have no answer")
    from snndeploy.report import render, summarize
    from snndeploy.simulator.answers import heads_of
    from snndeploy.simulator.run import simulate as run

    entry, head = made.model.input, heads_of(made)[0]
    found.fit(entry.shape[1:], entry.attributes["signal"], head.shape, head.meaning)

    with Progress("simulate", len(found.x)) as progress:
        simulation = run(
            made,
            found.inputs(),
            reference=reference,
            cycle_samples=cycle_samples if timing == "cycle" else 0,
            progress=progress,
        )
    report = summarize(made, simulation, found.y, found.name)
    if output:
        _write_report(output, report)
    show(render(report), report, json_file)
    if output and json_file != STANDARD_OUTPUT:
        say(f"\nwritten: {output / 'report.json'}, {output / 'report.html'}")


def _write_report(folder: Path, report: dict[str, Any]) -> None:
    from snndeploy.report.html import page

    with replacing_folder(folder) as part:
        write_bytes(part / "report.html", page(report).encode())
        write_json(part / "report.json", report)
