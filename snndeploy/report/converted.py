"""What a conversion cost, step by step."""

from __future__ import annotations

from snndeploy.conversion.facts import Conversion
from snndeploy.report.lines import wrap


def conversion_lines(made: Conversion) -> list[str]:
    """What the thresholds rest on, and the table over the number of steps."""
    what = (
        "the largest" if made.percentile == 100 else f"the {made.percentile:g}th percentile of the"
    )
    own = "others than those" if made.fresh else "the same samples"
    pools = {None: "", "average": "; max pools became averages",
             "any": "; max pools became any spike of the window"}[made.max_pools]  # fmt: skip
    worst = max(made.thresholds, key=lambda layer: layer.clipped)
    lines = [
        "Conversion",
        wrap(
            f"{len(made.thresholds)} ReLUs became integrate-and-fire neurons; thresholds are {what}"
            f" positive activations on {made.balanced_on} samples of {made.data} (most clipped:"
            f" {worst.layer}, {100 * worst.clipped:.2g} % above {worst.threshold:.3g}, largest"
            f" {worst.largest:.3g}){pools}"
        ),
        f"The float network on {made.measured_on} samples, {own}:",
    ]
    labelled = made.ann_accuracy is not None
    head = f"  {'steps':>5}  " + ("accuracy  " if labelled else "") + "as the ANN  distance"
    lines.append(head)
    if made.ann_accuracy is not None:
        lines.append(f"  {'ANN':>5}  {100 * made.ann_accuracy:6.1f} %")
    for row in made.steps:
        accuracy = f"{100 * row.accuracy:6.1f} %  " if row.accuracy is not None else ""
        lines.append(
            f"  {row.timesteps:>5}  {accuracy}{100 * row.agreement:8.1f} %  {row.distance:8.3f}"
        )
    return lines
