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
    Steps,
    binning_options,
    model_options,
    samples_said,
)
from snndeploy.errors import ProgramError
from snndeploy.files.writing import check_folder, json_text, replacing_folder, write_bytes

if TYPE_CHECKING:
    from snndeploy.analysis import Analysis, Settings

B_FOLDER = "b"  # below --output: what belongs to the network beside
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
@click.option("--steps", type=Steps(), default=(), metavar="T,T,...",
              help="ASRV maps at these steps too, counted from 1.")  # fmt: skip
@click.option(
    "--sample", "single", type=click.IntRange(0), multiple=True, metavar="N",
    help="Maps of this sample alone, counted from 0; may be given several times.",
)  # fmt: skip
@click.option(
    "--beside",
    metavar="B",
    help="A second SPEC or program on the same data, side by side with the first.",
)
@click.option("--beside-checkpoint", type=FILE, metavar="FILE", help="Weights of --beside.")
@click.option("-o", "--output", type=OUTPUT, metavar="FOLDER",
              help="Write analysis.json, maps.npz and pictures there.")  # fmt: skip
@json_option("analysis.json (with --beside: the comparison)")
def analyze(
    spec: str,
    data: Path,
    samples: int | None,
    of: str | None,
    layers: tuple[str, ...],
    bin_width: float | None,
    ghost_threshold: float,
    steps: tuple[int, ...],
    single: tuple[int, ...],
    beside: str | None,
    beside_checkpoint: Path | None,
    output: Path | None,
    json_file: Path | None,
    **options: Any,
) -> None:
    """Analyse how a network spikes: rates, membranes, patterns, coding; JSON and pictures.

    With --beside two networks on the same samples, and B - A.  Options of a model are for both,
    but those of --checkpoint, which are the first one's.
    """
    if beside_checkpoint and not beside:
        raise click.UsageError("--beside-checkpoint belongs to --beside")
    if output:
        check_folder(output)
    check_json(json_file)
    from snndeploy.analysis import Settings, as_json, summary

    # refuses before anything is loaded
    single = tuple(dict.fromkeys(single))
    settings = Settings(layers, bin_width, ghost_threshold, steps=steps, samples=single)
    found, name = _analysed(spec, of, data, samples, settings, options)
    if beside:
        of_b = {**options, "checkpoint": beside_checkpoint}
        if beside_checkpoint is None:
            of_b |= {"key": None, "strip_prefix": None, "allow_unexpected": False}
        if beside.endswith(".snnp"):
            of_b = dict.fromkeys(of_b)
        second, _ = _analysed(beside, of, data, samples, settings, of_b)
        _side_by_side(found, second, name, output, json_file)
        return
    document = as_json(found, name)
    if output:
        _write(output, _files(found, document))
    show(summary(document), document, json_file)
    if output and json_file != STANDARD_OUTPUT:
        say(f"\nwritten to {output}: analysis.json, maps.npz, pictures")


def _side_by_side(
    first: Analysis, second: Analysis, data: str, output: Path | None, json_file: Path | None
) -> None:
    from snndeploy.analysis import Beside, as_json, beside_json, beside_text

    found = Beside(first, second)
    document = beside_json(found, data)
    if output:
        from snndeploy.analysis.pictures_beside import beside_pictures

        files = _files(first, as_json(first, data))
        of_b = _files(second, as_json(second, data))
        files |= {f"{B_FOLDER}/{name}": content for name, content in of_b.items()}
        files |= beside_pictures(found)
        _write(output, files | {"beside.json": json_text(document).encode()})
    show(beside_text(document), document, json_file)
    if output and json_file != STANDARD_OUTPUT:
        say(
            f"\nwritten to {output}: beside.json, beside.png; analysis.json, maps.npz and pictures"
            f" of A, and of B in {output / B_FOLDER}"
        )


def _analysed(
    spec: str,
    of: str | None,
    data: Path,
    samples: int | None,
    settings: Settings,
    options: dict[str, Any],
) -> tuple[Analysis, str]:
    """The analysis and the name of the data."""
    if spec.endswith(".snnp"):
        return _of_program(spec, of, data, samples, settings, options)
    return _of_model(spec, of, data, samples, settings, dict(options))


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


def _files(found: Analysis, document: dict[str, Any]) -> dict[str, bytes]:
    from snndeploy.analysis import maps_file
    from snndeploy.analysis.pictures import pictures

    def drawing(done: int, total: int) -> None:
        show_step(f"draw {done} of {total} pictures")

    files = pictures(found, drawing)
    clear_step()
    return files | {"maps.npz": maps_file(found), "analysis.json": json_text(document).encode()}


def _write(folder: Path, files: dict[str, bytes]) -> None:
    """Everything was made before the first file is written."""
    with replacing_folder(folder) as part:
        for name, content in files.items():
            (part / name).parent.mkdir(exist_ok=True)
            write_bytes(part / name, content)
