"""The command line: thin commands over the functions that a notebook calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from snndeploy.commands.analysis import analyze
from snndeploy.commands.chain import deploy, export, verify
from snndeploy.commands.console import (
    FILE,
    STANDARD_OUTPUT,
    Progress,
    Refusals,
    check_json,
    clear_step,
    json_option,
    show,
    show_step,
)
from snndeploy.commands.cost import (
    activity_options,
    compare,
    energy_facts,
    parameters,
    program_graph,
    taken_activity,
)
from snndeploy.commands.model_options import SPEC_HELP, model_options, with_adapters
from snndeploy.commands.shelf import lava, models, targets
from snndeploy.errors import ProgramError
from snndeploy.files.writing import check_folder, check_writable, make_folder, write_json


@click.group(cls=Refusals, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="snndeploy")
def main() -> None:
    """Compile trained spiking networks for neuromorphic chips, and simulate the chip.

    \b
    snndeploy compile gac-digits -o net.snnp
    snndeploy simulate net.snnp --data digits.npz -o run/

    Exit codes: 0 done, 1 refused (one line says why), 2 usage, 3 a bug of ours, 130 interrupted.
    """


def _numbers(context: click.Context, option: click.Parameter, text: str | None) -> Any:
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))[:3]
    except ValueError:
        raise click.BadParameter(f"{text!r} is not like 255,255,0") from None


@main.command(epilog=SPEC_HELP)
@model_options
@click.option(
    "--target", default="loihi2", show_default=True, help="A shipped chip or a TOML file."
)
@click.option(
    "--calibration", type=FILE, metavar="DATA.npz", help="Samples that set the integer scales."
)
@click.option(
    "--shortcuts",
    type=click.Choice(["auto", "compose", "relay"]),
    default="auto",
    show_default=True,
    help="How membrane shortcuts become spike-driven.",
)
@click.option(
    "--host-attention",
    is_flag=True,
    help="The host computes attention between steps, where the chip has no MAC unit.",
)
@click.option(
    "--mapping",
    type=click.Choice(["naive", "channel", "tiles", "anneal"]),
    default="anneal",
    show_default=True,
    help="How neurons are cut into cores and placed.",
)
@click.option(
    "--objective",
    type=click.Choice(["cores", "latency", "energy", "balanced"]),
    default="balanced",
    show_default=True,
    help="What the mapping spends more cores for (balanced: energy x delay).",
)
@click.option(
    "--reduce",
    type=click.Choice(["off", "exact", "calibrated"]),
    default="off",
    show_default=True,
    help="Remove redundant channels: by proof, or also by what they do on calibration data.",
)
@click.option(
    "--held-back", type=FILE, metavar="DATA.npz", help="Samples on which --reduce is checked."
)
@click.option(
    "--input-neuron",
    metavar="THRESHOLD[,WEIGHT[,DECAY]]",
    callback=_numbers,
    help="A .net file without input neurons: integrate the data as a bias and fire.",
)
@click.option("-o", "--output", type=FILE, required=True, metavar="NET.snnp")
@json_option("what was decided")
def compile(spec: str, output: Path, json_file: Path | None, **options: Any) -> None:
    """Compile a trained model into a program file."""
    check_writable(output)
    check_json(json_file)
    from snndeploy import pipeline, program
    from snndeploy.report.compiled import compiled_text

    if options["held_back"] and options["reduce"] == "off":
        raise click.UsageError("--held-back is what --reduce is checked on: give --reduce as well")
    if spec.endswith(".net"):
        made = pipeline.compile_imported(spec, step=show_step, **_imported_options(options))
    elif options.pop("input_neuron"):
        raise click.UsageError("--input-neuron belongs to a .net file")
    else:
        made = pipeline.compile(spec, step=show_step, **with_adapters(options))
    show_step("write the program")
    program.save(made, output)
    clear_step()
    show(compiled_text(made, output), dict(made.facts), json_file)


@main.command(epilog=SPEC_HELP + " Or a program file NET.snnp, which takes no option of a model.")
@model_options
@click.option("--target", help="Also check against this chip.")
@click.option("--energy", is_flag=True, help="The papers' energy, layer by layer, not the audit.")
@activity_options
@json_option("the audit")
def inspect(
    spec: str, target: str | None, energy: bool, json_file: Path | None, **options: Any
) -> None:
    """Audit a model: what each layer multiplies, and why it is or is not spike-driven.

    With --energy: what it costs by the papers' formula, at rates that --rate, --rates or --data
    give; without rates, FL and an upper bound.
    """
    check_json(json_file)
    from snndeploy.report.audit import audit_json, audit_text

    asked, convention = taken_activity(options, energy)
    if spec.endswith(".snnp"):
        if target or any(options.values()):
            raise click.UsageError("a program file is inspected as it is: give no other option")
        if energy:
            show(*energy_facts(*program_graph(spec), asked, convention), json_file)
            return
        from snndeploy.program import load

        found = audit_json(load(spec).facts)
    elif spec.endswith(".net"):
        if energy:
            raise click.UsageError("a .net file names no layers that the papers' formula counts")
        from snndeploy import pipeline

        options = {**options, "target": target or "loihi2", "calibration": None}
        found = audit_json(pipeline.compile_imported(spec, **_imported_options(options)).facts)
    else:
        from snndeploy import pipeline
        from snndeploy.target import Target

        chip = Target.load(target) if target else None
        given = with_adapters(options)
        loaded, graph = pipeline.load_graph(spec, spiking=False, step=show_step, **given)
        if energy:
            parted = pipeline.inspect(graph, chip)[0]
            facts = energy_facts(parted, loaded.name, parameters(loaded.module), asked, convention)
            clear_step()
            show(*facts, json_file)
            return
        found = audit_json(pipeline.audit_facts(loaded, *pipeline.inspect(graph, chip)))
    clear_step()
    show(audit_text(found), found, json_file)


@main.command(epilog=SPEC_HELP)
@click.argument("spec")
@click.option(
    "--target", "targets_", multiple=True, default=["loihi2"], show_default=True,
    help="A shipped chip or a TOML file; may be given several times.",
)  # fmt: skip
@click.option("--adapters", type=FILE, metavar="FILE.py",
              help="A file with a list ADAPTERS that recognises your neurons.")  # fmt: skip
@click.option("--host-attention", is_flag=True,
              help="The host computes attention where the chip has no MAC unit.")  # fmt: skip
@json_option("the answers")
def fit(
    spec: str,
    targets_: tuple[str, ...],
    adapters: Path | None,
    host_attention: bool,
    json_file: Path | None,
) -> None:
    """Does it fit?  Cores, chips and what binds, before it is trained (no weights needed)."""
    check_json(json_file)
    from snndeploy.pipeline.fit import fit_spec, fit_text

    show_step("trace and map the structure")
    given = with_adapters({"adapters": adapters})
    found = fit_spec(spec, targets_, host_attention=host_attention, **given)
    clear_step()
    show(fit_text(found), [answer.as_json() for answer in found], json_file)


def _imported_options(options: dict[str, Any]) -> dict[str, Any]:
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


@main.command()
@click.argument("program_file", type=FILE, metavar="NET.snnp")
@click.option(
    "--data", type=FILE, required=True, metavar="DATA.npz", help="x, optional labels y and scale."
)
@click.option("--samples", type=click.IntRange(1), help="The first N samples only.")
@click.option(
    "--reference/--no-reference",
    default=True,
    show_default=True,
    help="Run the float model beside the chip and compare.",
)
@click.option(
    "--timing",
    type=click.Choice(["analytic", "cycle"]),
    default="analytic",
    show_default=True,
    help="cycle: move every message of the first samples through routers and buffers.",
)
@click.option(
    "--cycle-samples",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Samples that --timing cycle simulates; the others are scaled.",
)
@click.option(
    "-o", "--output", type=FILE, metavar="FOLDER", help="Write report.json and report.html there."
)
@json_option("report.json")
def simulate(
    program_file: Path,
    data: Path,
    samples: int | None,
    reference: bool,
    timing: str,
    cycle_samples: int,
    output: Path | None,
    json_file: Path | None,
) -> None:
    """Run a program on the emulated chip over real data, and report."""
    if output:
        check_folder(output)
    check_json(json_file)
    from snndeploy.data import load_data
    from snndeploy.program import load

    found = load_data(data).take(samples)
    made = load(program_file)
    readout = made.network.readout
    if readout is None:
        raise ProgramError(f"{program_file} has no readout, so a run would have no answer")
    entry, classes = made.model.input, made.network.by_name[readout.population].neurons
    found.fit(entry.shape[1:], entry.attributes["signal"], classes)
    from snndeploy.report import render, summarize
    from snndeploy.simulator.run import simulate as run

    with Progress("simulate", len(found.x)) as progress:
        simulation = run(
            made,
            found.inputs(),
            reference=reference,
            cycle_samples=cycle_samples if timing == "cycle" else 0,
            progress=progress,
        )
    report = summarize(made, simulation, found.y, found.name)
    if output:
        _write_report(output, report)
    show(render(report), report, json_file)
    if output and json_file != STANDARD_OUTPUT:
        click.echo(f"\nwritten: {output / 'report.json'}, {output / 'report.html'}")


def _write_report(folder: Path, report: dict[str, Any]) -> None:
    from snndeploy.report.html import write_html

    make_folder(folder)
    write_html(folder / "report.html", report)
    write_json(folder / "report.json", report)


main.add_command(analyze)
main.add_command(compare)
main.add_command(verify)
main.add_command(deploy)
main.add_command(export)
main.add_command(targets)
main.add_command(models)
main.add_command(lava)

__all__ = ["main"]
