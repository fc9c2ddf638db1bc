"""Writes a Lava bundle: a folder that Python 3.10, lava-nc and numpy run without snndeploy."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from snndeploy.backends.backend import refuse
from snndeploy.backends.lava import express
from snndeploy.backends.lava.backend import ALLOWED
from snndeploy.backends.lava.manifest import build_manifest
from snndeploy.backends.lava.readme import readme_text, requirements_text
from snndeploy.errors import UnsupportedError
from snndeploy.files.writing import check_folder, replacing_folder, write_text
from snndeploy.network import Network

TEMPLATES = {
    "run.py": "run_template.py",
    "processes.py": "processes_template.py",
    "neuron_program.py": "neuron_program_template.py",
    "support.py": "support_template.py",
}


def write_bundle(
    network: Network,
    injected: Mapping[int, np.ndarray],
    expected: Mapping[str, np.ndarray],
    expected_outputs: np.ndarray | None,
    folder: str | Path,
    *,
    title: str = "",
    sums: express.Sums | None = None,
) -> Path:
    """Write the bundle of a network with its inputs and what it must compute.

    injected: host values by index into network.injections (`engines.boundary.Injected`).
    expected: aligned spikes (samples, T, C, H, W) of every lif and relay population (others are
        ignored); expected_outputs: the integers that are read, (samples, outputs).
    sums: worst-case input sums, as the program's facts have them (None: found here).
    folder: created, or replaced when it is ours already; files that are not ours are kept in it.

    Raises UnsupportedError when Lava cannot compute the network exactly, before anything is
    written.
    """
    folder = Path(folder).resolve()
    check_network(network)
    check_folder(folder)
    known = express.sums_of(network, ()) if sums is None else sums
    with replacing_folder(folder) as part:
        _fill(part, network, injected, expected, expected_outputs, title, known)
    return folder


def check_network(network: Network) -> None:
    """Raise UnsupportedError, with every place and reason, where Lava cannot follow."""
    refuse(ALLOWED.refusals(network, too_large(network)))


def too_large(network: Network) -> list[UnsupportedError]:
    """The projections whose numbers Lava's processes cannot hold."""
    found = []
    for projection in network.projections:
        try:
            express.check_time(network, projection)
            express.check_delay(projection)
            express.weights(projection)
        except UnsupportedError as error:
            found.append(error)
    return found


def _fill(
    folder: Path,
    network: Network,
    injected: Mapping[int, np.ndarray],
    expected: Mapping[str, np.ndarray],
    expected_outputs: np.ndarray | None,
    title: str,
    sums: express.Sums,
) -> None:
    manifest = build_manifest(folder, network, injected, expected, expected_outputs, sums)
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    here = Path(__file__).parent
    for name, template in TEMPLATES.items():
        shutil.copyfile(here / template, folder / name)
    write_text(folder / "requirements.txt", requirements_text())
    write_text(folder / "README.md", readme_text(manifest, title))
