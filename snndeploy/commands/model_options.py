"""What every command that takes a model takes besides its SPEC."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from snndeploy.commands.console import FILE

LARGEST_INPUT = 1 << 28  # values of one sample
SPEC_HELP = "SPEC is a shipped model (snndeploy models list) or FILE.py:FACTORY(arguments)."


def model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What every command that takes a SPEC takes besides."""
    for option in reversed(
        (
            click.argument("spec"),
            click.option("--checkpoint", type=FILE, metavar="FILE",
                         help="Weights: .safetensors, or a state_dict."),
            click.option("--random-weights", is_flag=True,
                         help="Random weights (seed 0): structure and costs only."),
            click.option("--adapters", type=FILE, metavar="FILE.py",
                         help="A file with a list ADAPTERS that recognises your neurons."),
            click.option("--input-shape", metavar="C,H,W", callback=_shape,
                         help="Shape of one sample, where the model does not say."),
            click.option("--input-signal", type=click.Choice(["binary", "integer", "real"]),
                         help="What one input value is, where the model does not say."),
            click.option("--timesteps", type=click.IntRange(1), metavar="T",
                         help="Time steps, where the model does not say."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


def _shape(context: click.Context, option: click.Parameter, text: str | None) -> Any:
    if text is None:
        return None
    try:
        sizes = tuple(int(part) for part in text.replace("x", ",").split(","))
    except ValueError:
        sizes = ()
    values = 1
    for size in sizes:
        values *= size
    if not sizes or min(sizes) < 1 or values > LARGEST_INPUT:
        raise click.BadParameter(f"{text!r} is not like 3,32,32")
    return sizes


def with_adapters(options: dict[str, Any]) -> dict[str, Any]:
    """Options as the pipeline takes them."""
    from snndeploy.frontend.load import load_adapters

    file = options["adapters"]
    return {**options, "adapters": load_adapters(file) if file else ()}
