"""Lava: a folder that Python 3.10 and lava-nc run without snndeploy, and what it must answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snndeploy.backends.backend import FEATURES, Allowed, Backend, Written
from snndeploy.errors import UnsupportedError

if TYPE_CHECKING:
    import numpy as np

    from snndeploy.backends.lava.execute import LavaRun
    from snndeploy.engines.activity import Activity
    from snndeploy.program import Program

SHORTEST_TIMEOUT_S = 120.0
TIMEOUT_FACTOR = 10.0  # Lava's speed varies a lot with the machine's load
SIMULATED = "{names}: in simulation only, since Lava ships no such process, nor its microcode"

ALLOWED = Allowed(
    title="Lava",
    neurons={
        "lif": ("threshold", "membrane_decay", "current_decay", "reset", "reset_amount"),
        "programmed": (
            "membrane_decay",
            "current_decay",
            "threshold",
            "reset",
            "reset_value",
            "amount",
            "lower_bound",
            "initial",
            "refractory",
            "refractory_input",
            "most_spikes",
        ),
        "integrator": ("membrane_decay", "current_decay"),
        "relay": ("payload_shift", "payload_bound"),
        "input": ("payload_bound",),
    },
    connections=frozenset({"conv", "dense"}),
    features=frozenset(FEATURES) - {"attention"},
    lacks={
        "connections": "{where} cannot be deployed to Lava: connection '{name}' has no Lava"
        " process; use 'conv' or 'dense', or the simulator",
        "attention": "{where} cannot be deployed to Lava: it has attention, which multiplies at run"
        " time, and no Lava process of ours does that; drop the attention and fine-tune, or use"
        " the simulator",
    },
)


def write_answered(
    program: Program, x: np.ndarray, folder: Path
) -> tuple[Mapping[int, np.ndarray], Activity]:
    """Write the bundle with inputs x; returns what the host sends and the simulator answers."""
    from snndeploy.backends.lava.bundle import write_bundle
    from snndeploy.backends.lava.express import sums_of
    from snndeploy.engines.engine import run_network
    from snndeploy.simulator.run import check_input, encode

    check_input(program, x)
    injected, _ = encode(program, x)
    network = program.network
    kept = [population.name for population in network.populations if population.neuron.sends]
    activity = run_network(network, injected, record=kept, samples=len(x))
    write_bundle(
        network,
        injected,
        activity.spikes,
        activity.outputs,
        folder,
        title=program.name,
        sums=sums_of(network, program.facts.quantization),
    )
    return injected, activity


def estimated_s(program: Program, samples: int) -> float:
    """Roughly how long Lava takes for that many samples."""
    from snndeploy.backends.lava.estimate import estimated_seconds

    return estimated_seconds(program.network, samples)


def run(
    program: Program,
    folder: Path,
    samples: int,
    *,
    mode: str = "sim",
    results: Path | None = None,
    timeout_s: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> LavaRun:
    """Run a bundle; without a timeout, ten times the estimate is given."""
    from snndeploy.backends.lava.execute import run_bundle

    limit = timeout_s or max(SHORTEST_TIMEOUT_S, TIMEOUT_FACTOR * estimated_s(program, samples))
    return run_bundle(
        folder, timeout_s=limit, samples=samples, config=mode, results=results, progress=progress
    )


def _refusals(program: Program, options: Mapping[str, Any]) -> Iterable[UnsupportedError]:
    from snndeploy.backends.lava.bundle import too_large

    return too_large(program.network)


def _emit(program: Program, x: np.ndarray, output: Path, options: Mapping[str, Any]) -> Written:
    from snndeploy.backends.lava.express import simulation_only

    write_answered(program, x, output)
    seconds = estimated_s(program, len(x))
    simulated = simulation_only(program.network)
    return Written(
        f"{len(x)} samples; Lava's simulation takes about {seconds:.0f} s",
        (SIMULATED.format(names=", ".join(simulated)),) if simulated else (),
        go_on=f"run it with: cd {output} && python3.10 run.py --config"
        f" {'sim' if simulated else '{mode}'}",
    )


BACKEND = Backend(
    name="lava",
    writes="a folder that runs on Lava without snndeploy",
    command="deploy",
    form="folder",
    allowed=ALLOWED,
    emit=_emit,
    refusals=_refusals,
    run=run,
)
