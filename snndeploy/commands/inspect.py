"""inspect: what each layer of a model multiplies, and what it costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from snndeploy.commands.console import (
    check_json,
    clear_step,
    json_option,
    show,
    show_step,
)
from snndeploy.commands.cost import (
    NO_LAYERS,
    activity_options,
    energy_facts,
    program_graph,
    taken_activity,
)
from snndeploy.commands.model_options import SPEC_HELP, model_options


@click.command(epilog=SPEC_HELP + " Or a program file NET.snnp, which takes no option of a model.")
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

        found = audit_json(load(spec).facts.as_json())
    else:
        from snndeploy import pipeline
        from snndeploy.frontend.door import TO_COST, SpecOptions
        from snndeploy.frontend.doors import open_spec
        from snndeploy.target import Target

        chip = Target.load(target) if target else None
        if energy:
            opened, graph = pipeline.load_graph(
                spec, need=TO_COST, step=show_step, lacks=NO_LAYERS, **options
            )
            parted, model = pipeline.inspect(graph, chip)[0], opened.facts
            facts = energy_facts(parted, model.name, model.parameters, asked, convention)
            clear_step()
            show(*facts, json_file)
            return
        opened_spec = open_spec(spec, SpecOptions(**options), TO_COST, show_step)
        found = audit_json(pipeline.opened_facts(opened_spec, chip).as_json())
    clear_step()
    show(audit_text(found), found, json_file)
