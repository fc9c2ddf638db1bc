"""What deploying and verifying need of a program: its own inputs, and the link to Lava."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from snndeploy.backends.lava import backend as lava
from snndeploy.backends.table import named, require
from snndeploy.errors import DeployError
from snndeploy.program import Program
from snndeploy.verify.chain import Link, compare

Progress = Callable[[int, int], None]


def golden_inputs(program: Program) -> np.ndarray:
    """The inputs that the program carries itself.

    Raises:
        DeployError: it carries none.
    """
    if program.golden is None:
        raise DeployError(f"{program.name} carries no inputs of its own; give --data DATA.npz")
    return program.golden.x


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
    bundle, results = folder / "bundle", folder / "results.npz"
    require(named("lava"), program)
    injected, activity = lava.write_answered(program, x, bundle)
    lava.run(program, bundle, len(x), results=results, timeout_s=timeout_s, progress=progress)
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
