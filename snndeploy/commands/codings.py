"""codings: the ways to code an image on one network, side by side over T."""

from __future__ import annotations

from pathlib import Path

import click

from snndeploy.commands.console import (
    FILE,
    Command,
    check_json,
    clear_step,
    json_option,
    show,
    show_step,
)
from snndeploy.commands.cost import CONVENTION_HELP
from snndeploy.commands.model_options import Steps
from snndeploy.errors import DataError

SHIPPED = (
    "direct-digits", "ms-digits", "gac-digits", "rate-digits", "phase-digits", "temporal-digits",
)  # fmt: skip
"""One three-block MS-ResNet behind every coding of the catalog."""


@click.command(cls=Command)
@click.argument("networks", nargs=-1, metavar="[NETWORK]...")
@click.option("--timesteps", type=Steps(), default=(), metavar="T,T,...",
              help="Time steps of every network; default: those of its weights.")  # fmt: skip
@click.option(
    "--data",
    type=FILE,
    metavar="DATA",
    help="x, labels y, optional scale; default: the first network's test data.",
)
@click.option("--samples", type=click.IntRange(1), help="The first N samples only.")
@click.option("--target", default="loihi2", show_default=True,
              help="A shipped chip or a TOML file.")  # fmt: skip
@click.option("--convention", default="default", metavar="NAME", help=CONVENTION_HELP)
@click.option(
    "--calibration",
    type=FILE,
    metavar="DATA.npz",
    help="For networks that are not shipped: samples that set the integer scales.",
)
@json_option("the table")
def codings(
    networks: tuple[str, ...],
    timesteps: tuple[int, ...],
    data: Path | None,
    samples: int | None,
    target: str,
    convention: str,
    calibration: Path | None,
    json_file: Path | None,
) -> None:
    """Codings of an image side by side over T: accuracy, NASAR, energy by formula and on the chip.

    NETWORK is a shipped model with weights, or FILE.py:FACTORY(timesteps=T, ...)@CHECKPOINT;
    default: the network for digits behind direct, MS, gated attention, rate, phase and temporal
    coding.  At another T than that of its weights a network is run with them as they are; nothing
    is trained.
    """
    check_json(json_file)
    from snndeploy.costs.convention import parse_convention
    from snndeploy.data import load_data
    from snndeploy.pipeline.codings import network_of, sweep
    from snndeploy.report.codings import codings_text
    from snndeploy.target import Target

    chip = Target.load(target)
    chip.require_compiled()
    read = parse_convention(convention)
    listed = [network_of(name) for name in networks or SHIPPED]
    source = data or listed[0].test
    if source is None:
        raise DataError(f"{listed[0].name} has no test data of its own: give --data")
    found = load_data(source).take(samples)
    if found.y is None:
        raise DataError(f"{found.name} has no labels y, so there is no accuracy to compare")
    document = sweep(listed, timesteps, found, chip, read, calibration, show_step)
    clear_step()
    show(codings_text(document), document, json_file)
