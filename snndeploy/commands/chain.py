"""verify, deploy and export: from a program to proof, and to what runs without us."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import click

from snndeploy.commands.console import (
    FILE,
    Progress,
    check_json,
    clear_step,
    json_option,
    show,
    show_step,
)
from snndeploy.errors import DeployError
from snndeploy.files.writing import check_folder, check_writable

LAVA_SAMPLES = 2  # Lava takes seconds a sample
SAMPLES_HELP = "The first N samples only."


def _inputs(made: Any, data: Path | None, samples: int | None) -> Any:
    """The user's samples, or those that the program carries."""
    from snndeploy.data import load_data
    from snndeploy.pipeline.deploy import golden_inputs

    if data is None:
        return golden_inputs(made)[:samples]
    found = load_data(data).take(samples)
    entry = made.model.input
    found.fit(entry.shape[1:], entry.attributes["signal"], None)
    return found.inputs()


@click.command()
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
    from snndeploy.program import load
    from snndeploy.report.verified import verification_text
    from snndeploy.verify import Verification
    from snndeploy.verify import verify as run

    made = load(program_file)
    x = _inputs(made, data, samples)
    found = run(made, x, step=show_step)[0]
    if lava:
        link = _lava(made, x[:lava_samples])
        found = Verification(found.program, found.samples, (*found.links, link))
    clear_step()
    show(verification_text(found), found.as_json(), json_file)
    if not found.passed:
        raise DeployError(f"{program_file} is not what it should be: see the links marked NO")


def _lava(made: Any, x: Any) -> Any:
    from snndeploy.pipeline import deploy

    clear_step()
    seconds = deploy.lava_seconds(made, len(x))
    click.echo(f"Lava: {len(x)} samples, roughly {seconds:.0f} s", err=True)
    with tempfile.TemporaryDirectory() as folder, _steps(made, len(x)) as progress:
        return deploy.lava_link(made, x, Path(folder), progress=progress)


def _steps(made: Any, samples: int) -> Progress:
    return Progress("Lava steps", samples * made.network.chip_steps)


@click.command()
@click.argument("program_file", type=FILE, metavar="NET.snnp")
@click.option("--backend", type=click.Choice(["lava"]), default="lava", show_default=True)
@click.option("--data", type=FILE, metavar="DATA.npz",
              help="Inputs of the bundle; default: those the program carries.")  # fmt: skip
@click.option("--samples", type=click.IntRange(1), default=2, show_default=True, help=SAMPLES_HELP)
@click.option("-o", "--output", type=FILE, required=True, metavar="FOLDER")
@click.option("--run", "run_it", is_flag=True, help="Run the bundle when it is written.")
@click.option("--mode", type=click.Choice(["sim", "hardware"]), default="sim", show_default=True,
              help="With --run: Lava's fixed-point simulation, or a Loihi.")  # fmt: skip
@click.option("--timeout", "timeout_s", type=click.FloatRange(1), metavar="SECONDS",
              help="With --run; default: ten times the estimate.")  # fmt: skip
def deploy(
    program_file: Path,
    backend: str,
    data: Path | None,
    samples: int,
    output: Path,
    run_it: bool,
    mode: str,
    timeout_s: float | None,
) -> None:
    """Write a folder that runs on Lava without snndeploy, and say what it must answer."""
    check_folder(output)
    from snndeploy.pipeline import deploy as backends
    from snndeploy.program import load

    assert backend == "lava"
    made = load(program_file)
    x = _inputs(made, data, samples)
    show_step("write the bundle")
    folder = backends.lava_bundle(made, x, output)
    clear_step()
    seconds = backends.lava_seconds(made, len(x))
    click.echo(
        f"written: {folder} ({len(x)} samples; Lava's simulation takes about {seconds:.0f} s)"
    )
    if not run_it:
        click.echo(f"run it with: cd {output} && python3.10 run.py --config {mode}")
        return
    with _steps(made, len(x)) as progress:
        result = backends.run_lava(
            made, folder, len(x), config=mode, timeout_s=timeout_s, progress=progress
        )
    click.echo(result.report)
    if not result.equal:
        raise DeployError(f"Lava and the simulator differ: {result.first_difference}")


@click.command()
@click.argument("program_file", type=FILE, metavar="NET.snnp")
@click.option("--format", "form", type=click.Choice(["netx", "sanafe"]), required=True,
              help="netx: lava-dl's .net, sequential networks.")  # fmt: skip
@click.option("--round-biases", is_flag=True,
              help="Round biases to what .net can hold (then not bit-exact).")  # fmt: skip
@click.option("-o", "--output", type=FILE, required=True, metavar="FILE")
def export(program_file: Path, form: str, round_biases: bool, output: Path) -> None:
    """Write a program in another tool's format (sanafe: a folder for SANA-FE 2.2.9)."""
    if form == "sanafe":
        if round_biases:
            raise click.UsageError("--round-biases belongs to --format netx")
        _export_sanafe(program_file, output)
        return
    check_writable(output)
    from snndeploy.backends.netx.export import export_netx
    from snndeploy.program import load

    notes = export_netx(load(program_file).network, output, round_biases=round_biases)
    click.echo(f"written: {output}")
    for note in notes:
        click.echo(f"  - {note}")


def _export_sanafe(program_file: Path, output: Path) -> None:
    check_folder(output)
    from snndeploy.backends.sanafe.export import export_program
    from snndeploy.program import load

    made = export_program(load(program_file), output)
    click.echo(f"written: {output} ({made.synapses:,} synapses; run {made.steps} steps)")
    for note in made.notes:
        click.echo(f"  - {note}")
