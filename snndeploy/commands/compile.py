"""compile: from a model to a program file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from snndeploy.commands.console import (
    FILE,
    OUTPUT,
    Command,
    check_json,
    clear_step,
    json_option,
    show,
    show_step,
)
from snndeploy.commands.model_options import (
    SPEC_HELP,
    binning_options,
    lowering_options,
    model_options,
    weights_option,
)
from snndeploy.files.writing import check_folder, check_writable


@click.command(cls=Command, epilog=SPEC_HELP)
@model_options
@click.option(
    "--target", default="loihi2", show_default=True, help="A shipped chip or a TOML file."
)
@binning_options
@lowering_options
@weights_option
@click.option(
    "--mapping",
    type=click.Choice(["naive", "channel", "tiles", "anneal"]),
    default="anneal",
    show_default=True,
    help="How neurons are cut into cores and placed.",
)
@click.option(
    "--objective",
    type=click.Choice(["cores", "latency", "energy", "balanced"]),
    default="balanced",
    show_default=True,
    help="What the mapping spends more cores for (balanced: energy x delay).",
)
@click.option(
    "--map",
    "core_map",
    type=FILE,
    metavar="FILE",
    help="A core map instead, as `export --format map` writes it: a measured or handmade mapping.",
)
@click.option(
    "--max-cores",
    type=click.IntRange(min=1),
    metavar="N",
    help="Spend no more cores than these [default: the target's].",
)
@click.option(
    "--reduce",
    type=click.Choice(["off", "exact", "calibrated"]),
    default="off",
    show_default=True,
    help="Remove redundant channels: by proof, or also by what they do on calibration data.",
)
@click.option(
    "--held-back", type=FILE, metavar="DATA.npz", help="Samples on which --reduce is checked."
)
@click.option(
    "--convert",
    is_flag=True,
    help="The model is an ANN: its ReLUs become integrate-and-fire neurons, balanced on the"
    " calibration data, of --timesteps steps.",
)
@click.option(
    "--percentile",
    type=click.FloatRange(0, 100, min_open=True),
    metavar="P",
    help="With --convert: of a layer's positive activations, which becomes its threshold"
    " [default: 99.9].",
)
@click.option(
    "--max-pool",
    type=click.Choice(["average", "any"]),
    help="With --convert: what a max pool becomes, the average of spikes, or any spike.",
)
@click.option("--dump", type=OUTPUT, metavar="FOLDER", help="Write every stage there as text.")
@click.option("-o", "--output", type=OUTPUT, required=True, metavar="NET.snnp")
@json_option("what was decided")
def compile(spec: str, output: Path, json_file: Path | None, **options: Any) -> None:
    """Compile a trained model into a program file."""
    check_writable(output)
    check_json(json_file)
    if options["dump"]:
        check_folder(options["dump"])
    from snndeploy import pipeline, program
    from snndeploy.report.compiled import compiled_text

    made = pipeline.compile(spec, step=show_step, **options)
    show_step("write the program")
    program.save(made, output)
    clear_step()
    show(compiled_text(made, output), made.facts.as_json(), json_file)
