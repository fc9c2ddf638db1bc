"""verify, deploy and export: from a program to proof, and to what runs without us."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import click

from snndeploy.backends.backend import Backend
from snndeploy.backends.table import check_output, emit, named, names, refuse_options
from snndeploy.commands.console import (
    FILE,
    OUTPUT,
    Command,
    Progress,
    check_json,
    clear_step,
    json_option,
    say,
    show,
    show_step,
)
from snndeploy.commands.programs import load_program
from snndeploy.errors import DeployError
from snndeploy.files.writing import check_folder

LAVA_SAMPLES = 2  # Lava takes seconds a sample
SAMPLES_HELP = "The first N samples only."


def _inputs(made: Any, data: Path | None, samples: int | None) -> Any:
    """The user's samples, or those that the program carries."""
    from snndeploy.data import load_data
    from snndeploy.pipeline.deploy import golden_inputs

    if data is None:
        return golden_inputs(made)[:samples]
    found = load_data(data, made.facts.binning, samples)
    entry = made.model.input
    found.fit(entry.shape[1:], entry.attributes["signal"], None)
    return found.inputs()


def _warnings(made: Any, x: Any) -> list[str]:
    """What is said before all else."""
    from snndeploy.program.input_range import range_warning

    warning = range_warning(made.facts.input_range, x)
    return [warning] if warning else []


@click.command(cls=Command)
@click.argument("program_file", type=FILE, metavar="NET.snnp")
@click.option("--data", type=FILE, metavar="DATA.npz",
              help="Samples; default: those the program carries.")  # fmt: skip
@click.option("--samples", type=click.IntRange(1), default=8, show_default=True, help=SAMPLES_HELP)
@click.option("--lava", is_flag=True,
              help="Also run Lava's fixed-point simulation (see --lava-samples).")  # fmt: skip
@click.option("--lava-samples", type=click.IntRange(1), default=LAVA_SAMPLES, show_default=True)
@json_option("every link")
def verify(
    program_file: Path,
    data: Path | None,
    samples: int,
    lava: bool,
    lava_samples: int,
    json_file: Path | None,
) -> None:
    """Check float -> integers -> reference -> simulator (-> Lava), and name what differs first.

    Exit code 0 only when every link that must be exact is.
    """
    check_json(json_file)
    from snndeploy.report.lines import warnings_text
    from snndeploy.report.verified import verification_text
    from snndeploy.verify import Verification
    from snndeploy.verify import verify as run

    made = load_program(program_file)
    x = _inputs(made, data, samples)
    found = run(made, x, step=show_step)[0]
    if lava:
        link = _lava(made, x[:lava_samples])
        found = Verification(found.program, found.samples, (*found.links, link))
    clear_step()
    warnings = _warnings(made, x)
    text = f"{warnings_text(warnings)}\n\n" if warnings else ""
    said = {"warnings": warnings} if warnings else {}
    show(text + verification_text(found), said | found.as_json(), json_file)
    if not found.passed:
        raise DeployError(f"{program_file} is not what it should be: see the links marked NO")


def _lava(made: Any, x: Any) -> Any:
    from snndeploy.backends.lava.backend import estimated_s
    from snndeploy.pipeline.deploy import lava_link

    clear_step()
    seconds = estimated_s(made, len(x))
    say(f"Lava: {len(x)} samples, roughly {seconds:.0f} s", error=True)
    with tempfile.TemporaryDirectory() as folder, _steps(made, len(x)) as progress:
        return lava_link(made, x, Path(folder), progress=progress)


def _steps(made: Any, samples: int) -> Progress:
    return Progress("Lava steps", samples * made.network.chip_steps)


class BackendName(click.ParamType):
    """The name of a backend of the table that a command offers."""

    name = "backend"

    def __init__(self, command: str) -> None:
        self.command = command

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return f"[{'|'.join(names(self.command))}]"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Backend:
        if isinstance(value, Backend):
            return value
        if value not in names(self.command):
            self.fail(f"{value!r} is not one of {', '.join(names(self.command))}.", param, ctx)
        return named(value)


@click.command(cls=Command)
@click.argument("program_file", type=FILE, metavar="NET.snnp")
@click.option("--backend", type=BackendName("deploy"), default="lava", show_default=True)
@click.option("--data", type=FILE, metavar="DATA.npz",
              help="Inputs of the bundle; default: those the program carries.")  # fmt: skip
@click.option("--samples", type=click.IntRange(1), default=2, show_default=True, help=SAMPLES_HELP)
@click.option("-o", "--output", type=OUTPUT, required=True, metavar="FOLDER")
@click.option("--run", "run_it", is_flag=True, help="Run the bundle when it is written.")
@click.option("--mode", type=click.Choice(["sim", "hardware"]), default="sim", show_default=True,
              help="With --run: Lava's fixed-point simulation, or a Loihi.")  # fmt: skip
@click.option("--timeout", "timeout_s", type=click.FloatRange(1), metavar="SECONDS",
              help="With --run; default: ten times the estimate.")  # fmt: skip
def deploy(
    program_file: Path,
    backend: Backend,
    data: Path | None,
    samples: int,
    output: Path,
    run_it: bool,
    mode: str,
    timeout_s: float | None,
) -> None:
    """Write a folder that runs on Lava without snndeploy, and say what it must answer."""
    from snndeploy.report.lines import warnings_text
    from snndeploy.report.verdict import plan_text

    if run_it and backend.run is None:
        raise click.UsageError(f"--run: {backend.name} writes {backend.writes}, which does not run")
    check_folder(output)
    made = load_program(program_file)
    x = _inputs(made, data, samples)
    if warnings := _warnings(made, x):
        say(warnings_text(warnings))
    _write(backend, made, x, output, {}, "" if run_it else mode)
    if made.facts.plan is not None:
        say(plan_text(made.facts.plan.as_json()))
    if not run_it or backend.run is None:
        return
    with _steps(made, len(x)) as progress:
        result = backend.run(
            made, output, len(x), mode=mode, timeout_s=timeout_s, progress=progress
        )
    say(result.report)
    if not result.equal:
        raise DeployError(f"Lava and the simulator differ: {result.first_difference}")


@click.command(cls=Command)
@click.argument("program_file", type=FILE, metavar="NET.snnp")
@click.option("--format", "backend", type=BackendName("export"), required=True,
              help="map: which neurons lie on which core; netx: lava-dl's .net, sequential"
                   " networks; onnx: the float model.")  # fmt: skip
@click.option("--round-biases", is_flag=True,
              help="Round biases, and leaks of weights made to fit 8 bits, to what .net can hold"
                   " (then not bit-exact).")  # fmt: skip
@click.option("--part", type=click.Choice(["encoder", "network"]),
              help="onnx: what the host computes, or all [default: network].")  # fmt: skip
@click.option("-o", "--output", type=OUTPUT, required=True, metavar="FILE")
def export(
    program_file: Path, backend: Backend, round_biases: bool, part: str | None, output: Path
) -> None:
    """Write a program in another tool's format (sanafe: a folder for SANA-FE 2.2.9)."""
    refuse_options(backend, options := {"round_biases": round_biases, "part": part})
    check_output(backend, output)
    made = load_program(program_file)
    x = made.golden.x if made.golden else None
    _write(backend, made, x, output, options)


def _write(
    backend: Backend, made: Any, x: Any, output: Path, options: dict[str, Any], mode: str = ""
) -> None:
    """Write for a backend and say what was written; mode: how it would be run."""
    show_step(f"write {backend.writes}")
    written = emit(backend, made, x, output, options)
    clear_step()
    summary = f" ({written.summary})" if written.summary else ""
    say(f"written: {output}{summary}")
    for note in written.notes:
        say(f"  - {note}")
    if mode and written.go_on:
        say(written.go_on.format(mode=mode))
