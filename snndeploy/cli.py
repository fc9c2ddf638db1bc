"""The command line: thin commands over the functions that a notebook calls."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from snndeploy.errors import DeployError, one_line

INTERRUPTED = 130
SPEC_HELP = "SPEC is a shipped model (snndeploy models list) or FILE.py:FACTORY(arguments)."


class Refusals(click.Group):
    """Turns our errors into one line and exit code 1, and ctrl-C into 130: never a traceback."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except DeployError as error:
            click.echo(f"snndeploy: {error}", err=True)
            sys.exit(1)
        except MemoryError as error:
            reason = f" ({one_line(error)})" if str(error) else ""
            click.echo(
                f"snndeploy: not enough memory{reason}; use fewer --samples or a smaller model",
                err=True,
            )
            sys.exit(1)
        except BrokenPipeError:
            sys.stderr.close()
            sys.exit(0)
        except KeyboardInterrupt:
            click.echo("snndeploy: interrupted; nothing was written", err=True)
            sys.exit(INTERRUPTED)


@click.group(cls=Refusals, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="snndeploy")
def main() -> None:
    """Compile trained spiking networks for neuromorphic chips, and simulate the chip.

    \b
    snndeploy compile gac-digits -o net.snnp
    snndeploy simulate net.snnp --data digits.npz -o run/
    """


def model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What every command that takes a SPEC takes besides."""
    for option in reversed(
        (
            click.argument("spec"),
            click.option("--checkpoint", type=click.Path(path_type=Path), metavar="FILE",
                         help="Weights: .safetensors, or a state_dict."),
            click.option("--random-weights", is_flag=True,
                         help="Random weights (seed 0): structure and costs only."),
            click.option("--adapters", type=click.Path(path_type=Path), metavar="FILE.py",
                         help="A file with a list ADAPTERS that recognises your neurons."),
            click.option("--input-shape", metavar="C,H,W",
                         help="Shape of one sample, where the model does not say."),
            click.option("--input-signal", type=click.Choice(["binary", "integer", "real"]),
                         help="What one input value is, where the model does not say."),
            click.option("--timesteps", type=click.IntRange(1), metavar="T",
                         help="Time steps, where the model does not say."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


@main.command(epilog=SPEC_HELP)
@model_options
@click.option("--target", default="loihi2", show_default=True, help="A shipped chip or a TOML file.")
@click.option("--calibration", type=click.Path(path_type=Path), metavar="DATA.npz",
              help="Samples that set the integer scales.")
@click.option("--shortcuts", type=click.Choice(["auto", "compose", "relay"]), default="auto",
              show_default=True, help="How membrane shortcuts become spike-driven.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="NET.snnp")
@click.option("--json", "json_file", type=click.Path(path_type=Path), metavar="FILE",
              help="Write what was decided as JSON.")
def compile(spec: str, output: Path, json_file: Path | None, **options: Any) -> None:
    """Compile a trained model into a program file."""
    check_writable(output)
    from snndeploy import pipeline, program

    options = model_arguments(options)
    made = pipeline.compile(spec, options.pop("checkpoint"), step=show_step, **options)
    show_step("write the program")
    program.save(made, output)
    clear_step()
    if json_file:
        write_json(json_file, dict(made.facts))
    click.echo(_compiled(made, output), nl=False)


@main.command(epilog=SPEC_HELP + " Or a program file NET.snnp.")
@model_options
@click.option("--target", help="Also check against this chip.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), metavar="FILE",
              help="Write the audit as JSON.")
def inspect(spec: str, target: str | None, json_file: Path | None, **options: Any) -> None:
    """Audit a model: what each layer multiplies, and why it is or is not spike-driven."""
    from snndeploy.report.audit import audit_json, audit_text

    if spec.endswith(".snnp"):
        from snndeploy.program import load

        found = audit_json(load(spec).facts)
    else:
        from snndeploy import pipeline
        from snndeploy.target import Target

        options = model_arguments(options)
        chip = Target.load(target) if target else None
        loaded, graph = pipeline.load_graph(
            spec, options.pop("checkpoint"), step=show_step, **options
        )
        found = audit_json(pipeline.audit_facts(loaded, *pipeline.inspect(graph, chip)))
    clear_step()
    if json_file:
        write_json(json_file, found)
    click.echo(audit_text(found), nl=False)


@main.command()
@click.argument("program_file", type=click.Path(path_type=Path), metavar="NET.snnp")
@click.option("--data", type=click.Path(path_type=Path), required=True, metavar="DATA.npz",
              help="x, optional labels y and scale.")
@click.option("--samples", type=click.IntRange(1), help="The first N samples only.")
@click.option("--reference/--no-reference", default=True, show_default=True,
              help="Run the float model beside the chip and compare.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FOLDER",
              help="Write report.json and report.html there.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), metavar="FILE",
              help="Write report.json to this file.")
def simulate(
    program_file: Path,
    data: Path,
    samples: int | None,
    reference: bool,
    output: Path | None,
    json_file: Path | None,
) -> None:
    """Run a program on the emulated chip over real data, and report."""
    from snndeploy.data import load_data
    from snndeploy.program import load

    made = load(program_file)
    found = load_data(data).take(samples)
    folder = report_folder(output) if output else None
    from snndeploy.report import render, summarize
    from snndeploy.simulator.run import simulate as run

    with Progress("simulate", len(found.x)) as progress:
        simulation = run(made, found.inputs(), reference=reference, progress=progress)
    report = summarize(made, simulation, found.y, found.name)
    if folder:
        from snndeploy.report.html import write_html

        write_json(folder / "report.json", report)
        write_html(folder / "report.html", report)
    if json_file:
        write_json(json_file, report)
    click.echo(render(report), nl=False)
    if folder:
        click.echo(f"\nwritten: {folder / 'report.json'}, {folder / 'report.html'}")


@main.group()
def targets() -> None:
    """The chips."""


@targets.command("list")
def list_targets() -> None:
    """Names and descriptions."""
    from snndeploy.shelf import target_names
    from snndeploy.target import Target

    for name in target_names():
        click.echo(f"{name:<16} {Target.load(name).description}")


@targets.command("show")
@click.argument("name")
def show_target(name: str) -> None:
    """Every number with its unit, mark and source."""
    from snndeploy.target import Target

    target = Target.load(name)
    click.echo(f"{target.name}: {target.description}")
    for key, quantity in target.quantities.items():
        click.echo(f"  {key} = {quantity.value} {quantity.unit} [{quantity.mark}: {quantity.source}]")


@targets.command("check")
@click.argument("file", type=click.Path(path_type=Path))
def check_target(file: Path) -> None:
    """Validate a chip file."""
    from snndeploy.target import Target

    target = Target.load(str(file) if "/" in str(file) else f"./{file}")
    marks = ", ".join(f"{len(keys)} {mark}" for mark, keys in target.provenance().items())
    click.echo(f"{file}: {target.name} is valid; {marks}")


@main.group()
def models() -> None:
    """The shipped networks."""


@models.command("list")
def list_models() -> None:
    """Names, weights and descriptions."""
    from snndeploy.shelf import catalog

    for entry in catalog():
        trained = "trained" if entry.weights else "random"
        click.echo(f"{entry.name:<28} {trained:<8} {entry.description}")


@models.command("show")
@click.argument("name")
def show_model(name: str) -> None:
    """One network: file, source, weights, data."""
    from snndeploy.shelf import model_entry

    entry = model_entry(name)
    for key in ("name", "spec", "description", "paper", "input_shape", "input_signal", "weights",
                "test_data", "calibration_data"):  # fmt: skip
        value = getattr(entry, key)
        if value is not None:
            click.echo(f"{key.replace('_', ' ')}: {value}")


# helpers


def model_arguments(options: dict[str, Any]) -> dict[str, Any]:
    """Options as the pipeline takes them."""
    options = dict(options)
    shape = options.pop("input_shape", None)
    options["input_shape"] = _shape(shape) if shape else None
    file = options.pop("adapters", None)
    options["adapters"] = _adapters(file) if file else ()
    return options


def _shape(text: str) -> tuple[int, ...]:
    try:
        sizes = tuple(int(part) for part in text.replace("x", ",").split(","))
    except ValueError:
        sizes = ()
    if not sizes or min(sizes) < 1:
        raise click.UsageError(f"--input-shape {text!r} is not like 3,32,32")
    return sizes


def _adapters(file: Path) -> tuple[Any, ...]:
    from snndeploy.frontend.load import load_adapters

    return load_adapters(file)


def check_writable(path: Path) -> None:
    """Refuse before the work is done, not after."""
    import os

    folder = path.parent if str(path.parent) else Path(".")
    if path.is_dir():
        raise DeployError(f"cannot write {path}: it is a folder; name a file with -o")
    if not folder.is_dir():
        raise DeployError(f"cannot write {path}: folder {folder} does not exist; create it first")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise DeployError(
            f"cannot write {path}: no permission in folder {folder}; choose another with -o"
        )


def report_folder(folder: Path) -> Path:
    """Create the report's folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DeployError(f"cannot create {folder}: {error.strerror}; choose another") from None
    check_writable(folder / "report.json")
    return folder


def write_json(path: Path, value: Any) -> None:
    from snndeploy.archive import replacing

    with replacing(path) as file:
        file.write((json.dumps(value, indent=1) + "\n").encode())


def show_step(step: str) -> None:
    """The current step of a longer job, on a terminal only."""
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{step} …", nl=False, err=True)


def clear_step() -> None:
    if sys.stderr.isatty():
        click.echo("\r\x1b[K", nl=False, err=True)


class Progress:
    """A progress bar over samples; silent when not a terminal."""

    def __init__(self, label: str, length: int) -> None:
        self.bar = click.progressbar(length=length, label=label, file=sys.stderr)
        self.seen = 0

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            self.bar.__enter__()
            self.bar.render_progress()
        return self

    def __call__(self, done: int, total: int) -> None:
        if sys.stderr.isatty():
            self.bar.update(done - self.seen)
        self.seen = done

    def __exit__(self, *error: Any) -> None:
        if sys.stderr.isatty():
            self.bar.__exit__(*error)


def _compiled(made: Any, output: Path) -> str:
    from snndeploy.report.compiled import compiled_text

    return compiled_text(made, output)


__all__ = ["main"]
