"""analyze: how a network spikes on a data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from snndeploy.commands.console import (
    FILE,
    OUTPUT,
    STANDARD_OUTPUT,
    Command,
    Progress,
    check_json,
    clear_step,
    json_option,
    say,
    show,
    show_step,
)
from snndeploy.commands.model_options import (
    SPEC_HELP,
    binning_options,
    model_options,
    samples_said,
)
from snndeploy.errors import ProgramError
from snndeploy.files.writing import check_folder, json_text, replacing_folder, write_bytes

if TYPE_CHECKING:
    from snndeploy.analysis import Analysis, Settings

AS_PROGRAM = "is analysed as a program: compile it first"


@click.command(
    cls=Command, epilog=SPEC_HELP + " Or a program file NET.snnp, which takes no model option."
)
@model_options
@binning_options
@click.option("--data", type=FILE, required=True, metavar="DATA",
              help="x, optional scale; labels are not needed.")  # fmt: skip
@click.option("--samples", type=click.IntRange(1), help="The first N samples only.")
@click.option(
    "--of",
    type=click.Choice(["chip", "model"]),
    help="A program's integers (default), or its float model.",
)
@click.option(
    "--layer", "layers", multiple=True, metavar="NAME",
    help="Maps and membranes of this layer only; may be given several times.",
)  # fmt: skip
@click.option("--bin-width", type=float, metavar="W",
              help="Of membrane histograms; default: a tenth of each layer's V_th.")  # fmt: skip
@click.option(
    "--ghost-threshold",
    type=float,
    default=0.9,
    show_default=True,
    help="Pearson correlation from which two channels' maps are ghosts.",
)
@click.option("-o", "--output", type=OUTPUT, metavar="FOLDER",
              help="Write analysis.json, maps.npz and pictures there.")  # fmt: skip
@json_option("analysis.json")
def analyze(
    spec: str,
    data: Path,
    samples: int | None,
    of: str | None,
    layers: tuple[str, ...],
    bin_width: float | None,
    ghost_threshold: float,
    output: Path | None,
    json_file: Path | None,
    **options: Any,
) -> None:
    """Analyse how a network spikes: rates, membranes, patterns, coding; JSON and pictures."""
    if output:
        check_folder(output)
    check_json(json_file)
    from snndeploy.analysis import Settings, as_json, summary

    settings = Settings(layers, bin_width, ghost_threshold)  # refuses before anything is loaded
    found, name = (
        _of_program(spec, of, data, samples, settings, options)
        if spec.endswith(".snnp")
        else _of_model(spec, of, data, samples, settings, options)
    )
    document = as_json(found, name)
    if output:
        _write(output, found, document)
    show(summary(document), document, json_file)
    if output and json_file != STANDARD_OUTPUT:
        say(f"\nwritten to {output}: analysis.json, maps.npz, pictures")


def _of_program(
    spec: str,
    of: str | None,
    data: Path,
    samples: int | None,
    settings: Settings,
    options: dict[str, Any],
) -> tuple[Analysis, str]:
    if any(options.values()):
        raise click.UsageError("a program file is analysed as it is: give no model option")
    from snndeploy.analysis import analyze_chip, analyze_model
    from snndeploy.data import load_data
    from snndeploy.program import load

    made = load(spec)
    if of == "model" and not made.has_float_model:
        raise ProgramError(
            f"{spec} was imported as integers and holds no float model; use --of chip"
        )
    entry = made.model.input
    given = load_data(data, made.facts.binning, samples)
    found = given.fit(entry.shape[1:], entry.attributes["signal"])
    with Progress("analyze", len(found.x)) as progress:
        if of == "model":
            return analyze_model(made.model, found.inputs(), settings, progress), found.name
        return analyze_chip(made, found.inputs(), settings, progress), found.name


def _of_model(
    spec: str,
    of: str | None,
    data: Path,
    samples: int | None,
    settings: Settings,
    options: dict[str, Any],
) -> tuple[Analysis, str]:
    if of == "chip":
        raise click.UsageError("--of chip needs a program file: compile the model first")
    from snndeploy import pipeline
    from snndeploy.analysis import analyze_model
    from snndeploy.data import load_data

    given = load_data(data, options.pop("binning"), samples)
    said = {**samples_said(options), "data": given}
    _, graph = pipeline.load_graph(spec, step=show_step, lacks=AS_PROGRAM, **said)
    clear_step()
    entry = graph.input
    given.fit(entry.shape[1:], entry.attributes["signal"])
    with Progress("analyze", len(given.x)) as progress:
        return analyze_model(graph, given.inputs(), settings, progress), given.name


def _write(folder: Path, found: Analysis, document: dict[str, Any]) -> None:
    """Everything is made before the first file is written."""
    from snndeploy.analysis import maps_file
    from snndeploy.analysis.pictures import pictures

    def drawing(done: int, total: int) -> None:
        show_step(f"draw {done} of {total} pictures")

    files = pictures(found, drawing)
    files |= {"maps.npz": maps_file(found), "analysis.json": json_text(document).encode()}
    clear_step()
    with replacing_folder(folder) as part:
        for name, content in files.items():
            write_bytes(part / name, content)
