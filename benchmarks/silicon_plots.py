"""The pictures of docs/silicon.md, from what `silicon.py` found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

STYLE = {  # the same numbers give the same bytes
    "svg.hashsalt": "silicon", "svg.fonttype": "none", "font.size": 9, "axes.spines.top": False,
    "axes.spines.right": False, "figure.constrained_layout.use": True,
}  # fmt: skip
MEASURED, ANALYTIC, CYCLE, SANA_FE = "#1b2330", "#2f6fb3", "#d9a028", "#c65d2e"


def draw(found: dict[str, Any], folder: Path) -> None:
    """Write the pictures of the runs that were made into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with plt.rc_context(STYLE):
        if "pilotnet_lif_loihi2" in found:
            _steps(found["pilotnet_lif_loihi2"], folder / "silicon_pilotnet_steps.svg",
                   "PilotNet LIF, Loihi 2")  # fmt: skip
            _cores(found["pilotnet_lif_loihi2"], folder / "silicon_pilotnet_cores.svg")
        if "dvs_gesture_loihi1" in found:
            _steps(found["dvs_gesture_loihi1"], folder / "silicon_dvs_steps.svg",
                   "DVS gesture, Loihi 1")  # fmt: skip


def _steps(found: dict[str, Any], path: Path, title: str) -> None:
    """Time of single steps: measured, predicted, and by others."""
    measured, steps = found["measured"]["step_us"], found["measured"]["steps"]
    figure, axes = plt.subplots(figsize=(7.5, 2.6))
    axes.plot(steps, measured, "o", color=MEASURED, markersize=3, label="measured")
    shown = [found["step_us"][step] for step in steps]
    axes.plot(steps, shown, color=ANALYTIC, linewidth=1.2, label=f"predicted ({found['model']})")
    if "sana_fe_step_us" in found["measured"]:
        others = found["measured"]["sana_fe_step_us"]
        axes.plot(steps, others, ":", color=SANA_FE, linewidth=1, label="SANA-FE")
    axes.set(xlabel="step", ylabel="µs", title=title, ylim=(0, None))
    axes.legend(frameon=False, ncols=3, loc="lower right")
    _save(figure, path)


def _cores(found: dict[str, Any], path: Path) -> None:
    """Synaptic operations of every core over the whole run."""
    known = [core for core in found["cores"] if "synaptic_operations" in core["measured"]]
    numbers = [core["core"] for core in found["cores"]]
    figure, axes = plt.subplots(figsize=(7.5, 2.6))
    axes.bar(numbers, [core["synaptic_operations"] / 1e9 for core in found["cores"]],
             color=ANALYTIC, alpha=0.6, label="predicted")  # fmt: skip
    axes.plot([core["core"] for core in known],
              [core["measured"]["synaptic_operations"] / 1e9 for core in known],
              "o", color=MEASURED, markersize=3, label="measured")  # fmt: skip
    axes.set(xlabel="core, in the source's order", ylabel="10⁹ operations in 10,000 steps",
             title="PilotNet LIF, Loihi 2: synaptic operations by core")  # fmt: skip
    axes.legend(frameon=False)
    _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    plt.close(figure)
