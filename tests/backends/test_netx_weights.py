"""`dense_holds`: which dense weights NetX runs unchanged, against NetX's and Lava's own code."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from snndeploy.backends.netx.weights import chip_holds, dense_holds

RUNNER = Path(__file__).with_name("netx_weights_runner.py")
LIMITS = (0, 1, 3, 20, 63, 64, 127, 128, 129, 200, 254, 255, 256, 300)


@pytest.mark.parametrize(
    ("weight", "netx", "chip"),
    [
        ([[-256, 254]], True, True),
        ([[-255, 254]], True, False),  # odd, nine bits: NetX's simulation keeps them
        ([[-127, 3]], True, True),  # odd, shifted left once
        ([[1, 255]], True, True),
        ([[1, 256]], False, False),
        ([[-2, -254]], True, True),
        ([[-1, -255]], True, True),
        ([[0, -255]], False, True),  # NetX takes it for mixed signs, Lava for one sign
        ([[0, -256]], False, False),  # Lava clips one sign at -255
        ([[0, 0]], False, True),  # NetX divides by the largest weight
    ],
)
def test_the_edges(weight, netx, chip):
    assert dense_holds([np.array(weight)]) is netx
    assert chip_holds(np.array(weight)) is chip


def random_pair(rng):
    low, high = -int(rng.choice(LIMITS)), int(rng.choice(LIMITS))
    step, sign = rng.choice([1, 1, 2, 4]), rng.choice([1, 1, 1, -1])
    pair = [rng.integers(low, high + 1, shape) // step * step for shape in ((2, 3), (2, 2))]
    return pair[0] * sign, pair[1] if rng.random() < 0.4 else pair[1][:, :0]


@pytest.mark.lava
def test_prediction_equals_netx(tmp_path):
    from netx_environment import python_and_path

    rng = np.random.default_rng(0)
    pairs = [random_pair(rng) for _ in range(5000)]
    job = {
        f"{letter}{i}": m
        for i, pair in enumerate(pairs)
        for letter, m in zip("ab", pair, strict=True)
    }
    np.savez(tmp_path / "job.npz", **job)
    python, search_path = python_and_path()
    subprocess.run(
        [python, RUNNER, tmp_path / "job.npz", tmp_path / "result.npy"],
        env={**os.environ, "PYTHONPATH": search_path},
        check=True, timeout=300, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    theirs = np.load(tmp_path / "result.npy")
    ours = np.array([dense_holds([m for m in pair if m.size]) for pair in pairs])
    assert np.array_equal(ours, theirs)
    assert 1000 < theirs.sum() < 4500
