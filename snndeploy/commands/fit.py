"""fit: does it fit, before it is trained?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from snndeploy.commands.console import Command, check_json, clear_step, json_option, show, show_step
from snndeploy.commands.model_options import (
    SPEC_HELP,
    lowering_options,
    model_options,
    samples_said,
    weights_option,
)


@click.command(cls=Command, epilog=SPEC_HELP)
@model_options
@click.option(
    "--target", "targets_", multiple=True, default=["loihi2"], show_default=True,
    help="A shipped chip or a TOML file; may be given several times.",
)  # fmt: skip
@lowering_options
@weights_option
@json_option("the answers")
def fit(
    spec: str,
    targets_: tuple[str, ...],
    host_attention: bool,
    shortcuts: Any,
    weights: Any,
    json_file: Path | None,
    **given: Any,
) -> None:
    """Does it fit?  Before it is trained (no weights are needed): all that stands against it at
    once, or its cores, chips and what binds."""
    check_json(json_file)
    from snndeploy.pipeline.fit import fit_spec, fit_text

    show_step("trace and map the structure")
    found = fit_spec(
        spec, targets_, host_attention=host_attention, shortcuts=shortcuts, weights=weights,
        **samples_said(given),
    )  # fmt: skip
    clear_step()
    show(fit_text(found), {"answers": [answer.as_json() for answer in found]}, json_file)
