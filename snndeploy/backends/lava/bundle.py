"""Writes a Lava bundle: a folder that Python 3.10, lava-nc and numpy run without snndeploy."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from snndeploy.backends.backend import refuse
from snndeploy.backends.lava import express
from snndeploy.backends.lava.backend import ALLOWED
from snndeploy.backends.lava.manifest import FORMAT, build_manifest
from snndeploy.backends.lava.readme import readme_text, requirements_text
from snndeploy.errors import DeployError, UnsupportedError
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
    folder: created, or replaced when it is a bundle already; anything else there is refused.

    Raises UnsupportedError when Lava cannot compute the network exactly, before anything is
    written.
    """
    folder = Path(folder).resolve()
    check_network(network)
    _refuse_to_overwrite(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        partial.chmod(0o755)
        known = express.sums_of(network, ()) if sums is None else sums
        _fill(partial, network, injected, expected, expected_outputs, title, known)
        _move_into_place(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
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
    (folder / "requirements.txt").write_text(requirements_text())
    (folder / "README.md").write_text(readme_text(manifest, title))


# --- the folder ---------------------------------------------------------------------------------


def is_bundle(folder: Path) -> bool:
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
    except (OSError, ValueError):
        return False
    return isinstance(manifest, dict) and manifest.get("format") == FORMAT


def _refuse_to_overwrite(folder: Path) -> None:
    if not folder.exists() and not folder.is_symlink():
        return
    if folder.is_dir() and (is_bundle(folder) or not any(folder.iterdir())):
        return
    raise DeployError(
        f"{folder} exists and is not a Lava bundle; name another folder, or remove it first"
    )


def _move_into_place(partial: Path, folder: Path) -> None:
    if folder.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{folder.name}.old.", dir=folder.parent))
        folder.rename(old / "bundle")
        partial.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    else:
        partial.rename(folder)
