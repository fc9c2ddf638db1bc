"""Compile trained spiking networks for neuromorphic chips, and simulate the chip.

    import snndeploy

    program = snndeploy.compile("gac-digits", target="loihi2")
    data = snndeploy.load_data("digits.npz")
    simulation = snndeploy.simulate(program, data.inputs())
    report = snndeploy.summarize(program, simulation, data.y)
    print(snndeploy.render(report))

The verbs, in the order of the walk.  Each is imported when it is first used: torch takes a second.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snndeploy.data import load_data
    from snndeploy.errors import DeployError
    from snndeploy.pipeline import compile, inspect, load_graph
    from snndeploy.program import Program, load, save
    from snndeploy.report import render, summarize
    from snndeploy.simulator.run import simulate
    from snndeploy.target import Target

HOMES = {
    "DeployError": "errors",
    "Target": "target",
    "Program": "program",
    "load_graph": "pipeline",
    "inspect": "pipeline",
    "compile": "pipeline",
    "save": "program",
    "load": "program",
    "load_data": "data",
    "simulate": "simulator.run",
    "summarize": "report",
    "render": "report",
}

__all__ = [
    "DeployError", "Program", "Target", "compile", "inspect", "load", "load_data", "load_graph",
    "render", "save", "simulate", "summarize",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *HOMES])
