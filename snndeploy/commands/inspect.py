"""inspect: what each layer of a model multiplies, and what it costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from snndeploy.commands.console import Command, check_json, clear_step, json_option, show, show_step
from snndeploy.commands.cost import (
    NO_LAYERS,
    activity_options,
    energy_facts,
    graph_of,
    taken_activity,
)
from snndeploy.commands.model_options import (
    SPEC_HELP,
    lowering_options,
    model_options,
    samples_said,
)


@click.command(
    cls=Command, epilog=SPEC_HELP + " Or a program file NET.snnp, which takes no option of a model."
)
@model_options
@lowering_options
@click.option("--target", help="Also: does it compile for this chip, and what stays on the host?")
@click.option("--energy", is_flag=True, help="The papers' energy, layer by layer, not the audit.")
@activity_options
@json_option("the audit")
def inspect(
    spec: str,
    target: str | None,
    energy: bool,
    host_attention: bool,
    shortcuts: Any,
    json_file: Path | None,
    **options: Any,
) -> None:
    """Audit a model: what each layer multiplies, and why it is or is not spike-driven.

    With --energy: what it costs by the papers' formula, at rates that --rate, --rates or --data
    give; without rates, FL and an upper bound.
    """
    check_json(json_file)
    from snndeploy.report.audit import audit_json, audit_text

    asked, convention = taken_activity(options, energy)
    if not target and (host_attention or shortcuts != "auto"):
        raise click.UsageError("--host-attention and --shortcuts belong to --target")
    if spec.endswith(".snnp"):
        if target or any(options.values()):
            raise click.UsageError("a program file is inspected as it is: give no other option")
        from snndeploy.program import load

        made = load(spec)
        if energy:
            host = made.facts.plan.as_json()["host"] if made.facts.plan else []
            shown = energy_facts(*graph_of(made, spec), asked, convention, host)
            show(*shown, json_file)
            return
        found = audit_json(made.facts.as_json())
        show(audit_text(found), found, json_file)
        return
    from snndeploy import pipeline
    from snndeploy.frontend.door import TO_COST, OpenedNetwork, SpecOptions
    from snndeploy.frontend.doors import open_spec
    from snndeploy.passes.signals import infer_signals
    from snndeploy.report.verdict import verdict_text
    from snndeploy.target import Target
    from snndeploy.verdict import judge, plan_before

    chip = Target.load(target) if target else None
    options = samples_said(options, asked.data)
    lowering = {"host_attention": host_attention, "shortcuts": shortcuts}
    if energy:
        opened, graph = pipeline.load_graph(
            spec, need=TO_COST, step=show_step, lacks=NO_LAYERS, **options
        )
        verdict = judge(graph, chip, mapped=False, **lowering) if chip else None
        parted = verdict.graph if verdict else pipeline.inspect(graph)[0]
        host = (verdict.plan() if verdict else plan_before(parted)).as_json()["host"]
        model = opened.facts
        shown = energy_facts(parted, model.name, model.parameters, asked, convention, host)
        clear_step()
        show(*shown, json_file)
        return
    opened_spec = open_spec(spec, SpecOptions(**options), TO_COST, show_step)
    if chip is None or isinstance(opened_spec, OpenedNetwork):
        found = audit_json(pipeline.opened_facts(opened_spec).as_json())
        text = audit_text(found)
    else:
        verdict = judge(infer_signals(opened_spec.graph), chip, **lowering)
        facts = pipeline.audit_facts(opened_spec.facts, verdict.graph, verdict.flags())
        found = audit_json(facts.as_json()) | verdict.as_json()
        answer = verdict_text(chip.name, verdict.violations, verdict.open)
        text = f"{audit_text(found)}\n{answer}\n"
    clear_step()
    show(text, found, json_file)
