"""The command line: thin commands over the functions that a notebook calls."""

from __future__ import annotations

import click

from snndeploy.commands.analysis import analyze
from snndeploy.commands.chain import deploy, export, verify
from snndeploy.commands.codings import codings
from snndeploy.commands.compile import compile
from snndeploy.commands.console import Refusals
from snndeploy.commands.cost import compare
from snndeploy.commands.doctor import doctor
from snndeploy.commands.fit import fit
from snndeploy.commands.inspect import inspect
from snndeploy.commands.reproduce import reproduce
from snndeploy.commands.shelf import lava, models, targets
from snndeploy.commands.simulate import simulate


@click.group(cls=Refusals, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="snndeploy")
def main() -> None:
    """Compile trained spiking networks for neuromorphic chips, and simulate the chip.

    \b
    snndeploy compile gac-digits -o net.snnp
    snndeploy simulate net.snnp --data digits.npz -o run/

    Exit codes: 0 done, 1 refused (one line says why), 2 usage, 3 a bug of ours, 130 interrupted.
    """


COMMANDS = (
    doctor, compile, inspect, fit, simulate, verify, deploy, export, analyze, compare, codings,
    reproduce, targets, models, lava,
)  # fmt: skip
for command in COMMANDS:
    main.add_command(command)

__all__ = ["main"]
