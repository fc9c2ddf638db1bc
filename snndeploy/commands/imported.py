"""What a file of integers leaves open."""

from __future__ import annotations

from typing import Any

import click


def imported_options(options: dict[str, Any]) -> dict[str, Any]:
    """What a file of integers leaves open: refuses the options that it settles."""
    for name in ("checkpoint", "random_weights", "adapters", "input_shape", "input_signal",
                 "calibration"):  # fmt: skip
        if options[name]:
            raise click.UsageError(f"a .net file is integers already: --{name.replace('_', '-')}"
                                   " says nothing about it")  # fmt: skip
    if options.get("reduce", "off") != "off":
        raise click.UsageError("--reduce is for models; a .net file is compiled as it is")
    kept = ("target", "timesteps", "input_neuron", "mapping", "objective")
    return {name: options[name] for name in kept if name in options}
