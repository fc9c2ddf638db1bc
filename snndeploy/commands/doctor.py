"""doctor: one page on a SPEC."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from snndeploy.commands.console import Command, check_json, clear_step, json_option, show, show_step
from snndeploy.commands.model_options import SPEC_HELP, model_options, samples_said


@click.command(cls=Command, epilog=SPEC_HELP)
@model_options
@click.option(
    "--target", "targets_", multiple=True,
    help="Ask this chip, and not all shipped ones; may be given several times.",
)  # fmt: skip
@json_option("the page")
def doctor(spec: str, targets_: tuple[str, ...], json_file: Path | None, **given: Any) -> None:
    """One page on a network: what it is, what was recognised, which chips take it, and the smallest
    change for each that does not.

    Without weights give --random-weights: all but the figures of a run rests on the structure.
    """
    check_json(json_file)
    from snndeploy.pipeline.doctor import examine
    from snndeploy.report.doctor import doctor_text

    found = examine(spec, targets_, step=show_step, **samples_said(given)).as_json()
    clear_step()
    show(doctor_text(found), found, json_file)
