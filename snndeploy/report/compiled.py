"""What `compile` says when it is done."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from snndeploy.program import Program
from snndeploy.quantize.quantize import LayerQuantization
from snndeploy.report.converted import conversion_lines
from snndeploy.report.lines import bullets, wrap
from snndeploy.report.reduced import reduction_text
from snndeploy.report.terminal import mapping_text
from snndeploy.report.verdict import plan_text


def compiled_text(program: Program, output: Path) -> str:
    """Size, mapping, quantization, and what to know, in a screen."""
    facts = program.facts
    layout, network = program.layout, program.network
    size = output.stat().st_size / 1e6
    mapping = {
        "neurons": network.neurons,
        "cores": layout.cores,
        "chips": layout.chips,
        "binding": layout.binding,
        "utilisation": {
            name: float((layout.use[name] / limit).mean()) for name, limit in layout.limits.items()
        },
    }
    lines = [
        f"{program.name} for {program.target.name}: {output} ({size:.1f} MB)",
        wrap(
            f"weights {facts.model.weights}, {facts.model.parameters:,} parameters,"
            f" T={network.timesteps}, {network.chip_steps} chip steps a sample"
        ),
        "",
        mapping_text(mapping),
        *_quantization(facts.quantization),
    ]
    if facts.conversion is not None:
        lines += ["", *conversion_lines(facts.conversion)]
    if facts.reduction is not None:
        lines += ["", reduction_text(facts.reduction)]
    if facts.plan is not None:
        lines += ["", plan_text(facts.plan.as_json())]
    notes = [*facts.notes, *layout.notes]
    if notes:
        lines += ["", "Notes", bullets(notes)]
    return "\n".join(lines) + "\n"


def _quantization(layers: Sequence[LayerQuantization]) -> list[str]:
    if not layers:
        return []
    worst = max(layers, key=lambda layer: layer.relative_weight_error)
    clipped = sum(layer.clipped_weights for layer in layers)
    unproved = [layer.population for layer in layers if not layer.proved]
    proof = (
        "no input can leave an accumulator or a membrane"
        if not unproved
        else f"{len(unproved)} of {len(layers)} populations may leave their accumulator or membrane"
        " in the worst case (notes)"
    )
    exact = sum(layer.exact for layer in layers)
    if exact:
        proof += f"; {exact} of {len(layers)} populations keep their weights' own grid, exactly"
    return [
        "",
        "Quantization",
        wrap(
            f"largest weight error {100 * worst.relative_weight_error:.2f} % rms"
            f" ({worst.population}), {clipped} weights clipped; {proof}"
        ),
    ]
