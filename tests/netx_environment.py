"""Runs a `.net` file in lava-dl's own NetX, in Lava's Python 3.10 environment.

Lava's environment is the product's (`snndeploy lava setup`).  NetX needs two things more, which are
put beside it, never into it: h5py, and lava-dl's netx folder from the checked wheel.  Torch is not
installed: `backends/netx_runner.py` stands in for it and says why.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path

import numpy as np
import recordings

from snndeploy.backends.lava.environment import setup_environment
from snndeploy.backends.lava.execute import end_group
from snndeploy.network import Network

RUNNER = Path(__file__).parent / "backends" / "netx_runner.py"
RUN_SECONDS = 300
INSTALL_SECONDS = 600
H5PY = (
    "h5py==3.16.0"
    " --hash=sha256:8975273c2c5921c25700193b408e28d6bdd0111c37468b2d4e25dcec4cd1d84d"  # x86_64
    " --hash=sha256:86385ea895508220b8a7e45efa428aeafaa586bd737c7af9ee04661d8d84a10d"  # aarch64
)


def python_and_path() -> tuple[Path, str]:
    """The interpreter, and the PYTHONPATH that adds NetX to it."""
    python = setup_environment()
    folder = recordings.cache_folder() / "netx-0.6.0"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").is_file():
            recordings.library(folder / "lava-dl")
            _install_h5py(python, folder)
            (folder / "complete").touch()
    return python, f"{folder / 'h5py'}{os.pathsep}{folder / 'lava-dl'}"


def _install_h5py(python: Path, folder: Path) -> None:
    requirements = folder / "requirements.txt"
    requirements.write_text(H5PY + "\n")
    subprocess.run(
        [str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes",
         "--only-binary=:all:", "--target", str(folder / "h5py"), "-r", str(requirements)],
        check=True, timeout=INSTALL_SECONDS,
    )  # fmt: skip


def run_netx(path: Path, folder: Path, **job: object) -> dict[str, np.ndarray]:
    """The runner's result (see `backends/netx_runner.py`); nothing of it is left running."""
    python, search_path = python_and_path()
    np.savez(folder / "job.npz", **job)  # type: ignore[arg-type]
    process = subprocess.Popen(
        [str(python), str(RUNNER), str(path), str(folder / "job.npz"), str(folder / "result.npz")],
        env={**os.environ, "PYTHONPATH": search_path},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        words, _ = process.communicate(timeout=RUN_SECONDS)
    finally:
        end_group(process)
    assert process.returncode == 0, words[-2000:]
    with np.load(folder / "result.npz") as result:
        return dict(result)


def job_of(network: Network, values: np.ndarray, flat: bool) -> dict[str, object]:
    """One sample's host values, (C, H, W) mantissas or (T, C, H, W) payloads, in NetX's order.

    flat: the first layer is dense, so NetX's input is a vector.
    """
    source, injection = network.populations[0], network.injections[0]
    job: dict[str, object] = {"steps": network.chip_steps}
    if injection.mode == "bias":
        mantissas = values if source.bias is None else values + source.bias.flat[0]
        vector = flat and source.shape[1:] == (1, 1)
        job["bias"] = (mantissas.ravel() if vector else mantissas.transpose(2, 1, 0)).astype(int)
        job["bias_exponent"] = injection.exponent
        return job
    sent = np.zeros((network.chip_steps, *source.shape), dtype=int)
    sent[: network.timesteps] = values
    job["spikes"] = sent.reshape(len(sent), -1).T if flat else sent.transpose(3, 2, 1, 0)
    if source.neuron.sends_graded:
        job["message_bits"] = source.neuron.payload_bound.bit_length() + 1
    return job


def aligned_spikes(network: Network, result: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Spikes of every population that NetX ran, (T, C, H, W) in our order and time."""
    ran = [p for p in network.populations if p.neuron.name != "input"]
    found = {}
    for index, population in enumerate(ran):
        recorded = result[f"spikes{index}"]
        planes = (
            recorded.transpose(3, 2, 1, 0) if recorded.ndim == 4 else recorded.T[:, :, None, None]
        )
        found[population.name] = planes[population.depth : population.depth + network.timesteps]
    return found
