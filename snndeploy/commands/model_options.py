"""What every command that takes a model takes besides its SPEC."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from snndeploy.commands.console import FILE
from snndeploy.frontend.doors import DOORS

BINNING = ("bin_us", "frames", "events", "polarity", "sensor")
LARGEST_INPUT = 1 << 28  # values of one sample


class Steps(click.ParamType):
    """Whole numbers from 1, with commas between them."""

    name = "steps"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        try:
            found = tuple(int(part) for part in str(value).split(","))
        except ValueError:
            found = (0,)
        if any(step < 1 for step in found):
            self.fail(
                f"{value!r} is not a list of whole numbers from 1, as 4 or 2,4,8.", param, ctx
            )
        return tuple(dict.fromkeys(found))


SPEC_HELP = f"SPEC is one of: {', '.join(door.form for door in DOORS)}."


def lowering_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """How a network may be lowered: what a verdict depends on besides the target."""
    for option in (
        click.option("--host-attention", is_flag=True,
                     help="The host computes attention between steps, where the chip has no MAC"
                          " unit."),
        click.option("--shortcuts", type=click.Choice(["auto", "compose", "relay"]),
                     default="auto", show_default=True,
                     help="How membrane shortcuts become spike-driven."),
    ):  # fmt: skip
        command = option(command)
    return command


def weights_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """How many projections hold a weight."""
    return click.option(
        "--weights",
        type=click.Choice(["single", "double", "auto"]),
        default="auto",
        show_default=True,
        help="double: a high and a low part of each weight, in two projections; auto: only where"
        " one part leaves too large an error.",
    )(command)


def binning_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """How events become frames, as one argument `binning`."""

    @wraps(command)
    def called(*arguments: Any, **options: Any) -> Any:
        given = {name: options.pop(name) for name in BINNING}
        return command(*arguments, binning=_binning(**given), **options)

    for option in reversed(
        (
            click.option("--bin-us", type=click.IntRange(1), metavar="US",
                         help="Events: microseconds of a frame, which counts them."),
            click.option("--frames", type=click.IntRange(1), metavar="T",
                         help="Events: frames of a sample; without --bin-us, T of equal length."),
            click.option("--events", type=click.Choice(["counts", "binary"]),
                         help="Events: how many fell on a pixel (assumed), or whether any did."),
            click.option("--polarity", type=click.Choice(["split", "merged", "on"]),
                         help="Events: a channel each for OFF and ON (assumed), one for both, or ON"
                              " alone."),
            click.option("--sensor", metavar="HEIGHT,WIDTH", callback=_shape,
                         help="Events: pixels of the sensor, where the file does not say."),
        )
    ):  # fmt: skip
        called = option(called)
    return called


def _binning(
    bin_us: int | None,
    frames: int | None,
    events: Any,
    polarity: Any,
    sensor: tuple[int, ...] | None,
) -> Any:
    if not (bin_us or frames):
        if events or polarity or sensor:
            raise click.UsageError("events become frames by --bin-us or --frames: give one of them")
        return None
    from snndeploy.data import Binning

    if sensor and len(sensor) != 2:
        raise click.UsageError("--sensor takes HEIGHT,WIDTH")
    height, width = sensor or (None, None)
    return Binning(bin_us, frames, events or "counts", polarity or "split", height, width)


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


def _numbers(context: click.Context, option: click.Parameter, text: str | None) -> Any:
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))[:3]
    except ValueError:
        raise click.BadParameter(f"{text!r} is not like 255,255,0") from None


def samples_said(options: dict[str, Any], *others: Path | None) -> dict[str, Any]:
    """Options of a SPEC, where what `compile` calibrates on only says what the input is; others:
    the data of the command itself."""
    data = next((path for path in (options["calibration"], *others) if path), None)
    return {**{k: v for k, v in options.items() if k != "calibration"}, "data": data}


def model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """A SPEC, and what every command that takes one takes besides: `frontend.door.SpecOptions`."""
    return click.argument("spec")(spec_options(command))


def spec_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of `model_options` alone, where SPECs are arguments by another name."""
    for option in reversed(
        (
            click.option("--checkpoint", type=FILE, metavar="FILE",
                         help="Weights: .safetensors, or a state_dict."),
            click.option("--key", metavar="NAME",
                         help="Where in the checkpoint the weights are, dotted: ema.model"),
            click.option("--strip-prefix", metavar="NAME.",
                         help="Leave this out of the checkpoint's names."),
            click.option("--allow-unexpected", is_flag=True,
                         help="The checkpoint may have more than the model takes."),
            click.option("--random-weights", is_flag=True,
                         help="Random weights (seed 0): structure and costs only."),
            click.option("--path", type=FILE, multiple=True, metavar="FOLDER",
                         help="A folder whose modules the model's code imports; may be given"
                              " several times."),
            click.option("--calibration", type=FILE, metavar="DATA.npz",
                         help="Samples that set the integer scales; and input shape and signal,"
                              " where the model does not say."),
            click.option("--adapters", type=FILE, metavar="FILE.py",
                         help="A file with a list ADAPTERS that recognises your neurons."),
            click.option("--input-shape", metavar="C,H,W", callback=_shape,
                         help="Shape of one sample, where the model does not say."),
            click.option("--input-signal", type=click.Choice(["binary", "integer", "real"]),
                         help="What one input value is, where the model does not say."),
            click.option("--timesteps", type=click.IntRange(1), metavar="T",
                         help="Time steps, where the model does not say."),
            click.option("--input-neuron", metavar="THRESHOLD[,WEIGHT[,DECAY]]", callback=_numbers,
                         help="A .net file without input neurons: integrate the data as a bias and"
                              " fire."),
            click.option("--dt", type=click.FloatRange(0, min_open=True), metavar="SECONDS",
                         help="A .nir file: seconds of a time step, as the network was trained."),
            click.option("--reset", type=click.Choice(["hard", "soft"]),
                         help="A .nir file: a spike sets the membrane to v_reset (hard: assumed) or"
                              " subtracts the threshold (soft)."),
            click.option("--lower-bound", type=float, metavar="V",
                         help="A .nir file: membranes do not fall below V (assumed: none)."),
            click.option("--answer", type=click.Choice(["mean", "sum", "last", "all"]),
                         help="A .nir file: what of its output over time is the answer (assumed:"
                              " mean)."),
        )
    ):  # fmt: skip
        command = option(command)
    return command
