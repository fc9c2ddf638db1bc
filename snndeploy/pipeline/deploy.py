"""Deploy: a program as something that runs without us, and what it must answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from snndeploy.backends.lava.bundle import write_bundle
from snndeploy.backends.lava.estimate import estimated_seconds
from snndeploy.backends.lava.execute import LavaRun, run_bundle
from snndeploy.engines.activity import Activity
from snndeploy.engines.engine import run_network
from snndeploy.errors import DeployError
from snndeploy.program import Program
from snndeploy.simulator.run import check_input, encode
from snndeploy.verify.chain import Link, compare, recorded

Progress = Callable[[int, int], None]

SHORTEST_TIMEOUT_S = 120.0
TIMEOUT_FACTOR = 10.0  # Lava's speed varies a lot with the machine's load


def golden_inputs(program: Program) -> np.ndarray:
    """The inputs that the program carries itself.

    Raises:
        DeployError: it carries none.
    """
    if program.golden is None:
        raise DeployError(f"{program.name} carries no inputs of its own; give --data DATA.npz")
    return program.golden.x


def lava_bundle(program: Program, x: np.ndarray, folder: str | Path) -> Path:
    """Write a Lava bundle with inputs `x` (samples, ...) and the simulator's answers.

    Raises:
        UnsupportedError: something in the network that Lava cannot compute exactly.
    """
    injected, activity = _answers(program, x)
    return _write(program, injected, activity, folder)


def _answers(program: Program, x: np.ndarray) -> tuple[Mapping[int, np.ndarray], Activity]:
    """What the host sends, and what the simulator answers."""
    check_input(program, x)
    injected, _ = encode(program, x)
    names = recorded(program.network)
    return injected, run_network(program.network, injected, record=names, samples=len(x))


def _write(
    program: Program, injected: Mapping[int, np.ndarray], activity: Activity, folder: str | Path
) -> Path:
    return write_bundle(
        program.network, injected, activity.spikes, activity.outputs, folder, title=program.name
    )


def run_lava(
    program: Program,
    folder: Path,
    samples: int,
    *,
    config: str = "sim",
    results: Path | None = None,
    timeout_s: float | None = None,
    progress: Progress | None = None,
) -> LavaRun:
    """Run a bundle; without a timeout, ten times the estimate is given."""
    limit = timeout_s or max(SHORTEST_TIMEOUT_S, TIMEOUT_FACTOR * lava_seconds(program, samples))
    return run_bundle(
        folder, timeout_s=limit, samples=samples, config=config, results=results, progress=progress
    )


def lava_seconds(program: Program, samples: int) -> float:
    """Roughly how long Lava takes for that many samples."""
    return estimated_seconds(program.network, samples)


def lava_link(
    program: Program,
    x: np.ndarray,
    folder: Path,
    *,
    timeout_s: float | None = None,
    progress: Progress | None = None,
) -> Link:
    """The link simulator -> Lava on samples `x`: every population, every step.

    folder: an empty folder for the bundle and its results.
    """
    injected, activity = _answers(program, x)
    bundle = _write(program, injected, activity, folder / "bundle")
    results = folder / "results.npz"
    run_lava(program, bundle, len(x), results=results, timeout_s=timeout_s, progress=progress)
    with np.load(results) as stored:
        found = {
            key.removeprefix("spikes/"): stored[key]
            for key in stored.files
            if key.startswith("spikes/")
        }
        outputs = stored["outputs"] if "outputs" in stored.files else None
    link = compare(
        "simulator -> Lava fixed point",
        program.network,
        activity.spikes,
        found,
        injected,
        ours="expected",
    )
    same = outputs is not None and bool(np.array_equal(outputs, activity.outputs))
    return replace(link, exact=bool(link.exact) and (same or program.network.readout is None))
